"""Extractors from files: features equal those of torch-fidelity on the same weights and images."""

import pytest
import torch
from torch.nn import functional as F

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.clip import CLIP
from ood_diffusion.metrics.dinov2 import DINOv2, resized_positions
from ood_diffusion.metrics.inception import Inception
from ood_diffusion.metrics.vgg16 import VGG16
from tests.metrics.weights import save_clip, save_dinov2, save_vgg16

FROM_FILES = [CLIP, DINOv2, Inception, VGG16]


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty torch.hub folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def images():
    return torch.randint(
        0, 256, (2, 3, 40, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def theirs(name, feature, path, images):
    from torch_fidelity.utils import create_feature_extractor

    network = create_feature_extractor(
        name, [feature], cuda=False, feature_extractor_weights_path=path and str(path), verbose=False
    )
    return network(images)[0]


@pytest.mark.parametrize(
    ("kind", "save", "name", "feature", "width"),
    [
        (CLIP, save_clip, "clip-vit-b-32", "clip", 24),
        pytest.param(VGG16, save_vgg16, "vgg16", "fc2_relu", 4096, marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
def test_features_are_those_of_torch_fidelity(
    tmp_path, images, kind, save, name, feature, width, monkeypatch
):
    monkeypatch.setattr(kind, "only_published", False)
    path = save(tmp_path / "weights.pt")
    extractor = kind(str(path))
    found = extractor(images)
    assert torch.equal(found, theirs(name, feature, path, images))
    assert found.shape == (2, extractor.num_features) == (2, width) and found.std() > 0
    assert not torch.allclose(found[0], found[1])
    assert extractor.name == f"{kind.choice}_other_weights" and not extractor.training


@pytest.fixture
def dinov2(tmp_path):
    path = save_dinov2(tmp_path / "weights.pth")
    return path, DINOv2(str(path))


def test_dinov2_prepares_images_as_torch_fidelity_does(dinov2, images, monkeypatch):
    extractor = dinov2[1]
    monkeypatch.setattr("torch.hub.load", lambda *args: extractor.network.network)
    wanted = theirs("dinov2-vit-s-14", "dinov2", None, images)
    assert torch.allclose(extractor(images), wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_dinov2_is_the_published_transformer(dinov2):
    """Written out: pre-norm blocks with scaled residuals, class token of the last norm."""
    path, extractor = dinov2
    w = torch.load(path, weights_only=True)
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = extractor.network.network(x)
        tokens = (
            F.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=14).flatten(2).mT
        )
        tokens = torch.cat([w["cls_token"].expand(2, 1, 384), tokens], dim=1)
        tokens = tokens + resized_positions(w["pos_embed"])
        for i in range(12):

            def at(name, i=i):
                return w[f"blocks.{i}.{name}.weight"], w[f"blocks.{i}.{name}.bias"]

            normed = F.layer_norm(tokens, (384,), *at("norm1"), eps=1e-6)
            q, k, v = F.linear(normed, *at("attn.qkv")).unflatten(2, (3, 6, 64)).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            tokens = tokens + w[f"blocks.{i}.ls1.gamma"] * F.linear(mixed, *at("attn.proj"))
            normed = F.layer_norm(tokens, (384,), *at("norm2"), eps=1e-6)
            hidden = F.gelu(F.linear(normed, *at("mlp.fc1")))
            tokens = tokens + w[f"blocks.{i}.ls2.gamma"] * F.linear(hidden, *at("mlp.fc2"))
        wanted = F.layer_norm(tokens, (384,), w["norm.weight"], w["norm.bias"], eps=1e-6)[:, 0]
    assert found.std() > 0
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


def test_positions_are_read_off_at_the_smaller_grid():
    """A ramp stays one, as far as cubics go: patch i of 16 lies at (i + 1/2) · 37/16.1 - 1/2 of 37."""
    ramp = torch.arange(37.0)[:, None].expand(37, 37)
    embedding = torch.cat([torch.tensor([9.0]), ramp.flatten()]).view(1, -1, 1)
    found = resized_positions(embedding)[0, :, 0]
    assert found.shape == (257,) and found[0] == 9
    wanted = (torch.arange(16) + 0.5) * 37 / 16.1 - 0.5
    assert torch.allclose(found[1:].view(16, 16)[1:-1, 5], wanted[1:-1], atol=0.06)
    assert torch.equal(resized_positions(embedding[:, :257]), embedding[:, :257])


@pytest.mark.parametrize("kind", FROM_FILES)
@pytest.mark.parametrize("weights_path", [None, "/nowhere/w.pth"])
def test_missing_weights(hub, kind, weights_path):
    with pytest.raises(UserError) as caught:
        kind(weights_path)
    text = str(caught.value)
    where = str(hub / kind.published.file)
    for part in (
        f"extractor={kind.choice}",
        where,
        f"weights_path={weights_path}",
        "offline",
        kind.published.url,
        "efficientnet_lite0",
    ):
        assert part in text


@pytest.mark.parametrize("kind", FROM_FILES)
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_broken_weights(tmp_path, kind, content):
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    wanted = rf"must (hold the weights of extractor={kind.choice}|be the published file).*, but got .* Fetch "
    with pytest.raises(UserError, match=wanted):
        kind(str(path))


@pytest.mark.parametrize("kind", [DINOv2, Inception, pytest.param(VGG16, marks=pytest.mark.slow)])
def test_weights_of_another_network(tmp_path, kind):
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="cannot be loaded"):
        kind(str(path))


def test_published_weights_are_known_by_their_hash(tmp_path, hub, monkeypatch):
    sha = CLIP.published.sha256
    monkeypatch.setattr("ood_diffusion.metrics.weights_file._sha256", lambda path: sha)
    save_clip(hub / CLIP.published.file)
    assert CLIP().name == "clip"


def test_an_archive_that_could_be_any_program_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.jit.load", lambda *args, **kwargs: pytest.fail("loaded"))
    with pytest.raises(UserError, match="must be the published file, whose SHA-256 is 40d3657"):
        CLIP(str(save_clip(tmp_path / "weights.pt")))
