"""Closed forms of the distance, level and power of the test."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.spectrum import power_spectrum
from ood_diffusion.metrics.fid import frechet_distance
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.latent_frechet import bures, latent_frechet, spectral_frechet
from tests.statistics.rates import rejects_at_most


def noise(n: int, seed: int, shape: tuple[int, ...] = (3, 8, 8)) -> Tensor:
    return torch.randn(n, *shape, generator=generator(seed, "test"))


def white(height: int, width: int, matrix: Tensor) -> Tensor:
    return matrix.to(torch.complex128).expand(height, width // 2 + 1, -1, -1)


@pytest.mark.parametrize("width", [8, 7])
def test_white_fields_of_different_scale(width: int) -> None:
    """d (s − s')² + |Δμ|²: every frequency counts, the left-out half too."""
    eye, mean = torch.eye(3), torch.zeros(3, 6, width)
    found = spectral_frechet(mean, white(6, width, 4 * eye), mean + 0.5, white(6, width, 9 * eye))
    assert found == pytest.approx(3 * 6 * width * (1 + 0.25))


def test_is_the_dense_frechet_distance_of_stationary_fields() -> None:
    """The d×d covariances of two filtered noises with channel matrices that do not commute."""
    from ood_diffusion.geometry.spectrum import apply_filter

    unit = torch.eye(2 * 4 * 5).view(-1, 2, 4, 5).double()
    sets = []
    for seed in (0, 1):
        mixing = torch.randn(4, 3, 2, 2, dtype=torch.complex128, generator=generator(seed))
        mixing[:, 0] = mixing[:, 0].real  # column 0 must be its own mirror image for the field to be real
        mixing[:, 0] = (mixing[:, 0] + mixing[(-torch.arange(4)) % 4, 0]) / 2
        spectrum = mixing @ mixing.mH
        dense = apply_filter(spectrum, unit).flatten(1)
        sets.append((spectrum, (dense + dense.T) / 2))
    zero = torch.zeros(2, 4, 5)
    wanted = frechet_distance(zero.flatten().double(), sets[0][1], zero.flatten().double(), sets[1][1])
    assert spectral_frechet(zero, sets[0][0], zero, sets[1][0]) == pytest.approx(float(wanted), rel=1e-6)


def test_bures_of_one_channel_and_of_equal_matrices() -> None:
    p, q = torch.tensor([[[4.0]], [[0.0]]]).double(), torch.tensor([[[9.0]], [[1.0]]]).double()
    assert bures(p, q).tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    grey = torch.ones(5, 3, 3, dtype=torch.complex128)
    assert float(bures(grey, grey).max()) < 1e-4 and torch.equal(
        bures(0 * grey, 0 * grey), torch.zeros(5).double()
    )


def test_statistic_is_the_distance_of_the_two_sets() -> None:
    a, b = noise(20, 0) + 0.3, 1.2 * noise(15, 1)
    moments = []
    for x in (a, b):
        mean = x.double().mean(dim=0)
        moments += [mean, power_spectrum(x.double() - mean)]
    assert latent_frechet(a, b, 0, splits=3).statistic == pytest.approx(spectral_frechet(*moments), rel=1e-4)


def test_false_positives() -> None:
    """Of latents that vary in scale, for which a null from halves of one set fails."""
    p_values = []
    for i in range(200):
        both = noise(28, i, (2, 4, 4))
        both = (both + both.roll(1, 3)) * (0.4 * torch.randn(28, 1, 1, 1, generator=generator(i))).exp()
        p_values.append(latent_frechet(both[:12], both[12:], i, splits=19).p_value)
    for level in (0.05, 0.25, 0.5):
        assert rejects_at_most(p_values, level), level
    assert np.mean(p_values) < 0.63


def test_power_and_floor() -> None:
    a, b = noise(30, 0), noise(30, 1)
    same = latent_frechet(a, b, 0)
    assert same.null_low < same.statistic < same.null_high
    assert same.statistic > 10  # the floor of finite sets, which only the null explains
    coloured = latent_frechet(a, (b + 0.5 * b.roll(1, 3)) / math.sqrt(1.25), 0)
    shifted = latent_frechet(a, b + 0.2, 0)
    assert coloured.p_value == shifted.p_value == 1 / 51
    assert shifted.statistic - shifted.null_mean == pytest.approx(0.04 * 192, rel=0.35)


def test_grey_latents() -> None:
    """Channel matrices of rank one."""
    a, b = (noise(12, i, (1, 8, 8)).expand(-1, 3, -1, -1) for i in (0, 1))
    single = latent_frechet(a[:, :1], b[:, :1], 0, 9)
    assert latent_frechet(a, b, 0, 9).statistic == pytest.approx(3 * single.statistic, rel=1e-3)


def test_bad_sets() -> None:
    with pytest.raises(UserError, match=r"two sets of 4 or more latents \[n, C, H, W\] must agree in shape"):
        latent_frechet(noise(3, 0), noise(9, 1), 0)
