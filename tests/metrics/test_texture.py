import pytest
import torch
from scipy.ndimage import convolve
from scipy.stats import wasserstein_distance
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.transport import unit_vectors
from ood_diffusion.metrics.jackknife import uniform
from ood_diffusion.metrics.texture import (
    Texture,
    blur,
    enlarge,
    laplacian_pyramid,
    patches,
    texture_distance,
)
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import NORMAL
from tests.statistics.rates import coverage, holds, narrowed


def images(n: int, seed: int, size: int = 32, contrast: float = 40.0) -> Tensor:
    """Smooth fields plus noise, as strong as each image has it: uint8 ``[n, 3, size, size]``."""
    generator = torch.Generator().manual_seed(seed)
    strength = 0.5 + torch.rand(n, 1, 1, 1, generator=generator)
    noise = torch.randn(n, 3, size, size, generator=generator)
    return (128 + contrast * strength * (blur(blur(noise)) * 3 + noise / 4)).clamp(0, 255).to(torch.uint8)


def judged(generated: Tensor, real: Tensor, **settings: int) -> Texture:
    metric = Texture(**settings)
    for part in real.split(13):
        metric.update(part, real=True)
    metric.update(generated, real=False)
    return metric


def values(metric: Texture) -> list[float]:
    return [metric.compute()[name].item() for name in metric.names]


def test_blur_is_the_binomial_filter():
    x = images(1, 0)[:, :1].double()
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    wanted = convolve(x[0, 0].numpy(), torch.outer(row, row).numpy(), mode="mirror")
    assert torch.allclose(blur(x)[0, 0], torch.from_numpy(wanted), atol=1e-5)


@pytest.mark.parametrize("size", [32, 37])
def test_the_pyramid_gives_the_image_back(size):
    x = images(2, 1, size).float()
    fine, mid, coarse = laplacian_pyramid(x)
    half = mid + enlarge(coarse, mid)
    assert torch.allclose(fine + enlarge(half, fine), x, atol=1e-3)


def test_a_constant_image_has_no_detail():
    fine, mid, coarse = laplacian_pyramid(torch.full((1, 3, 32, 32), 90.0))
    assert max(fine.abs().max(), mid.abs().max()) < 1e-3 and torch.allclose(coarse, torch.tensor(90.0))


def test_patches_are_cut_out_of_the_image():
    x = images(2, 2).float()
    found = patches(x, 9)
    assert found.shape == (2, 9, 3, 49) and patches(x[..., :7, :7], 9).shape[1] == 1
    windows = x[1].unfold(1, 7, 1).unfold(2, 7, 1).permute(1, 2, 0, 3, 4).reshape(-1, 3, 49)
    assert all((windows == patch).flatten(1).all(dim=1).any() for patch in found[1])


def test_equals_the_definition():
    x, y = (patches(images(n, n).float(), 5) for n in (6, 9))
    along = unit_vectors(7, 147)
    mean, deviation = y.mean(dim=(0, 1, 3)), y.transpose(1, 2).flatten(2).transpose(0, 1).flatten(1)
    scale = deviation.std(dim=1, correction=0)
    a, b = (((side - mean[:, None]) / scale[:, None]).flatten(2).flatten(0, 1) for side in (x, y))
    wanted = [wasserstein_distance(a @ u, b @ u) for u in along]
    found = texture_distance(x, y, uniform(6), uniform(9), along)
    assert found.item() == pytest.approx(1000 * sum(wanted) / 7, rel=1e-5)


def test_batches_order_and_repeats_do_not_matter():
    x, y = images(20, 1), images(30, 2)
    assert values(judged(x.flip(0), y.flip(0))) == pytest.approx(values(judged(x, y)), rel=1e-5)
    assert values(judged(x, x)) == [0, 0, 0]
    assert values(judged(torch.cat([x, x]), y)) == pytest.approx(values(judged(x, y)), rel=1e-4)


def test_lost_contrast_and_averages_are_seen():
    real, fresh = images(60, 1), images(30, 2)
    plain = ((fresh.float() + images(30, 3).float()) / 2).to(torch.uint8)
    same, worse = values(judged(fresh, real)), values(judged(plain, real))
    assert worse[0] > 4 * same[0] and worse[1] > 4 * same[1] and worse[2] > same[2] + 50


def test_the_error_knows_that_the_scale_is_the_real_images():
    """Against the jackknife: every image left out in turn."""
    x, y = images(12, 1, contrast=25), images(14, 2)
    without_x = [values(judged(x[torch.arange(12) != i], y, patches=8, directions=8))[0] for i in range(12)]
    without_y = [values(judged(x, y[torch.arange(14) != i], patches=8, directions=8))[0] for i in range(14)]
    spread = [11**2 / 12 * torch.tensor(without_x).var(), 13**2 / 14 * torch.tensor(without_y).var()]
    found = Texture(patches=8, directions=8).influences(y, x)["texture_fine"].interval()
    error = (found.high - found.value) / NORMAL
    assert error == pytest.approx(float(sum(spread)) ** 0.5, rel=0.05)


@pytest.mark.slow
def test_coverage_at_this_number_of_images():
    found: dict[str, list[Estimate]] = {name: [] for name in Texture.names}
    for seed in range(60):
        x, y = images(40, 2 * seed, 28, contrast=25), images(60, 2 * seed + 1, 28)
        for name, each in Texture(patches=4, directions=8).influences(y, x).items():
            found[name].append(each.interval())
    for name, own in found.items():
        truth = sum(each.value for each in own) / len(own)
        assert holds(own, truth, 0.9, 0.97), (name, coverage(own, truth))
        assert not holds(narrowed(own, 0.4), truth, 0.9)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(2, 3, 32, 32), r"images must be uint8 of shape \[B, C, H, W\], but got 'torch.float32"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8), "images must be uint8"),
        (torch.zeros(2, 3, 30, 32, dtype=torch.uint8), r"must keep the shape \[3, 32, 32\]"),
    ],
)
def test_bad_images(bad, message):
    metric = Texture()
    metric.update(images(2, 0), real=True)
    with pytest.raises(UserError, match=message):
        metric.update(bad, real=False)


def test_too_little():
    with pytest.raises(UserError, match="images of 28 pixels or more, but got 20"):
        judged(images(3, 0, 20), images(3, 1, 20)).compute()
    with pytest.raises(UserError, match="at least 2 generated images, but got 1"):
        judged(images(1, 0), images(3, 1)).compute()


def test_influences_give_the_value_and_pair_with_a_control() -> None:
    real, generated = (
        torch.randint(0, 255, (n, 3, 32, 32), generator=torch.Generator().manual_seed(n)) for n in (9, 7)
    )
    real, generated = real.to(torch.uint8), generated.to(torch.uint8)
    metric = Texture(patches=16, directions=8)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    value = metric.compute()
    found = Texture(patches=16, directions=8).influences(real, generated)
    for name, each in found.items():
        assert each.value == pytest.approx(float(value[name]))
        same = each.minus(each).interval()
        assert (same.low, same.value, same.high) == (0, 0, 0)
