"""Scales can be undone, bit for bit."""

import numpy as np
import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.fields.scale import CURVES, SOFTENING, Scale

UNIT = torch.cat([torch.linspace(-1, 1, 4001), torch.tensor([-1 + 2**-24, 1 - 2**-24, 1e-9])]).view(1, 1, -1)


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("ends", [(0.5, 2e5), ([1e-3, 2.0], [1e3, 2e6])])
def test_the_round_trip_is_exact_to_float32(kind: str, ends: tuple[float, float]) -> None:
    scale, unit = Scale(kind, *ends), UNIT.expand(2, -1, -1)
    again = scale.to_unit(scale.to_physical(unit))
    away = unit.abs() > 1e-6
    assert torch.equal(again[away], unit[away]) and float((again - unit).abs().max()) < 1e-14


@pytest.mark.parametrize("kind", CURVES)
def test_the_ends_are_the_ends_and_beyond_is_not_clipped(kind: str) -> None:
    scale = Scale(kind, 0.5, 2e5)
    ends = torch.tensor([0.5, 2e5], dtype=torch.float64).view(1, 1, 2)
    assert scale.to_unit(ends).flatten().tolist() == [-1, 1]
    assert torch.allclose(scale.to_physical(torch.tensor([[[-1.0, 1.0]]])), ends, rtol=1e-12)
    beyond = scale.to_physical(torch.tensor([[[-1.1, 1.1]]])).flatten()
    assert float(beyond[0]) < 0.5 and float(beyond[1]) > 2e5


@pytest.mark.parametrize("kind", ["linear", "asinh", "symlog"])
def test_values_of_either_sign(kind: str) -> None:
    scale = Scale(kind, -3, 3)
    values = torch.linspace(-3, 3, 101, dtype=torch.float64).view(1, 1, -1)
    assert torch.allclose(scale.to_physical(scale.to_unit(values)), values, atol=1e-6)
    assert torch.allclose(scale.to_unit(values), -scale.to_unit(-values), atol=1e-7)


def test_curves_are_astropys() -> None:
    visualization = pytest.importorskip("astropy.visualization")
    values = np.linspace(0, 8, 100)
    theirs = visualization.AsinhStretch(SOFTENING)(values / 8)
    ours = Scale("asinh", 0, 8).to_unit(torch.from_numpy(values).view(1, 1, -1)).flatten()
    assert np.allclose((ours + 1) / 2, theirs, atol=1e-6)


def test_log10_is_linear_in_decades() -> None:
    values = torch.logspace(-2, 3, 6, dtype=torch.float64).view(1, 1, -1)
    expected = torch.linspace(-1, 1, 6).view(1, 1, -1)
    assert torch.allclose(Scale("log10", 0.01, 1000).to_unit(values), expected)


def test_flux_is_the_share_of_the_range() -> None:
    scale = Scale("log10", 1, 1001)
    unit = scale.to_unit(torch.tensor([[[1.0, 501.0, 1001.0]]]))
    assert torch.allclose(scale.flux(unit), torch.tensor([[[0.0, 0.5, 1.0]]]), atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (float("nan"), 1),
        (0, float("inf")),
        (0, 1e38),
        (0, 1e-38),
        (0, "1"),
        (True, 2),
        ([0, 0], [1, 2, 3]),
    ],
)
def test_a_range_must_be_a_range(low: float, high: float) -> None:
    with pytest.raises(UserError, match=r"must be 0 or numbers from 1e-37 to 1e\+37 in size, or one for"):
        Scale("linear", low, high)


def test_what_else_is_refused() -> None:
    for low, high in ((1, 1), (2, 1), ([0, 1], [1, 0])):
        with pytest.raises(UserError, match=r"domain\.low must be below domain\.high, but got \("):
            Scale("linear", low, high)
    with pytest.raises(UserError, match=r"domain\.low must be above 0 for domain\.scale=log10, but got 0"):
        Scale("log10", 0, 1)
    with pytest.raises(UserError, match=r"domain\.scale must be one of: asinh, linear, log10, symlog"):
        Scale("log", 1, 2)
    with pytest.raises(UserError, match=r"domain\.softening must be null or above 0, but got -1"):
        Scale("asinh", 1, 2, -1)
