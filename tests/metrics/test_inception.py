import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.inception import WEIGHTS_NAME, Inception


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty torch.hub folder, and a network that must not be reached for."""

    def refuse(*args, **kwargs):
        raise AssertionError("no download may be tried")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file with the true architecture and random numbers."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *args: None)
        torch.manual_seed(0)
        network = module.FeatureExtractorInceptionV3("random", ["2048"])
    path = tmp_path / "random.pth"
    torch.save(network.state_dict(), path)
    return path


def test_features_of_other_weights_say_so(weights):
    extractor = Inception(str(weights))
    images = torch.randint(
        0, 256, (2, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    got = extractor(images)
    assert got.shape == (2, extractor.num_features) == (2, 2048)
    assert extractor.name == "inception_other_weights"
    assert not extractor.training and len(extractor.digest) == 32
    alone = extractor(images[1:])
    assert (got[1:] - alone).abs().max() <= 1e-5 * got.abs().max()


def test_published_weights_are_known_by_their_hash(weights, hub, monkeypatch):
    monkeypatch.setattr("ood_diffusion.metrics.inception._sha256", lambda path: "6726825d" + 56 * "0")
    weights.rename(hub / WEIGHTS_NAME)
    assert Inception().name == "inception"


@pytest.mark.parametrize("weights_path", [None, "/nowhere/w.pth"])
def test_missing_weights(hub, weights_path):
    with pytest.raises(UserError) as caught:
        Inception(weights_path)
    text = str(caught.value)
    for part in (str(hub / WEIGHTS_NAME), f"weights_path={weights_path}", "offline", "efficientnet_lite0"):
        assert part in text


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_broken_weights(tmp_path, content):
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"must be torch-fidelity's Inception state dict, but got .* Fetch it again"
    ):
        Inception(str(path))


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="cannot be loaded"):
        Inception(str(path))
