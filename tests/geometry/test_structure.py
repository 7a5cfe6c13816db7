"""Structure of known shapes, and of Gaussian random fields by their closed forms."""

import math

import pytest
import torch
from torch import Tensor

from ood_diffusion.geometry.structure import channel_correlations, minkowski, moments, peaks

WIDTH = 4.0
"""Standard deviation, in pixels, of the smoothing of the fields."""


@pytest.fixture(scope="module")
def smooth() -> Tensor:
    """Periodic Gaussian random fields ``[60, 1, 128, 128]`` whose covariance is exp(-r²/(4 WIDTH²))."""
    white = torch.randn(60, 1, 128, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    k = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)) * 2 * math.pi
    smoothing = torch.exp(-((k * WIDTH) ** 2) / 2)
    field = torch.fft.irfft2(torch.fft.rfft2(white) * smoothing, s=(128, 128))
    return field / field.std()


@pytest.mark.parametrize("nu", [-1.0, 0.0, 1.0])
def test_minkowski_functionals_of_gaussian_fields(smooth: Tensor, nu: float) -> None:
    """Adler 1981; with σ1²/σ0² = 1/(2 WIDTH²) per axis."""
    rate = 1 / (2 * WIDTH**2)
    area, length, euler = minkowski(smooth, nu).mean(dim=(0, 1)).tolist()
    assert area == pytest.approx(math.erfc(nu / math.sqrt(2)) / 2, abs=0.01)
    assert length == pytest.approx(math.sqrt(rate) / 2 * math.exp(-(nu**2) / 2), rel=0.05)
    expected = rate / (2 * math.pi) ** 1.5 * nu * math.exp(-(nu**2) / 2)
    assert euler == pytest.approx(expected, abs=0.06 * rate / (2 * math.pi) ** 1.5)


def test_pieces_holes_and_boundaries_are_counted() -> None:
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    distance = torch.hypot(rows - 32, columns - 32)
    disc, ring = (distance < 20).float(), ((distance < 20) & (distance > 10)).float()
    two = (
        disc.roll(0, 0).mul(0)
        + (torch.hypot(rows - 16, columns - 16) < 8)
        + (torch.hypot(rows - 48, columns - 40) < 8)
    )
    found = minkowski(torch.stack([disc, ring, two]).unsqueeze(1), 0.5)[:, 0]
    assert (found[:, 2] * 63**2).tolist() == pytest.approx([1, 0, 2])
    assert float(found[0, 0] * 64**2) == pytest.approx(math.pi * 400, rel=0.02)
    assert float(found[0, 1] * 64 * 63) == pytest.approx(2 * math.pi * 20, rel=0.05)


def test_peaks_are_counted_once_each_and_plateaus_and_edges_not_at_all() -> None:
    field = torch.zeros(1, 2, 32, 32)
    for row, column in ((4, 5), (10, 20), (30, 3), (0, 9)):
        field[0, 0, row, column] = 1 + row
    field[0, 1, 3:5, 3:5] = 1
    assert peaks(field, 1.0).tolist() == [[3.0, 0.0]]


def test_moments_and_correlations_of_known_values() -> None:
    rng = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 256, 256, generator=rng, dtype=torch.float64)
    fields = torch.stack([3 + 2 * a, 0.6 * a + 0.8 * b, (a.exp()), torch.full_like(a, 7)]).unsqueeze(0)
    assert channel_correlations(fields)[0, 0] == pytest.approx(0.6, abs=0.01)
    found = moments(fields)[0]
    assert found[0].tolist() == pytest.approx([3, 2, 0, 0], abs=0.05)
    assert found[3].tolist() == [7, 0, 0, 0]
    assert channel_correlations(fields)[0, 2] == 0


@pytest.mark.parametrize("unit", [1e3, 1e-18], ids=["large", "of a flux in erg/s/cm2/A"])
def test_a_change_of_unit_or_contrast_moves_nothing(smooth: Tensor, unit: float) -> None:
    other = unit * (5 * smooth[:4] - 40)
    assert torch.allclose(minkowski(smooth[:4], 1.0), minkowski(other, 1.0))
    assert torch.equal(peaks(smooth[:4], 1.0), peaks(other, 1.0))
    assert torch.allclose(moments(smooth[:4])[..., 2:], moments(other)[..., 2:])
    both = [torch.cat([each[:2], each[2:]], dim=1) for each in (smooth[:4], other)]
    assert torch.allclose(*map(channel_correlations, both))
