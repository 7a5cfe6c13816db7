"""Stretches agree with astropy's, and can be undone."""

import numpy as np
import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.domains.arrays.scale import SOFTENING, Scale

KINDS = ["linear", "sqrt", "asinh", "log10"]


@pytest.mark.parametrize("kind", ["linear", "sqrt", "asinh"])
def test_stretches_are_astropys(kind: str) -> None:
    visualization = pytest.importorskip("astropy.visualization")
    stretch = {
        "linear": visualization.LinearStretch(),
        "sqrt": visualization.SqrtStretch(),
        "asinh": visualization.AsinhStretch(SOFTENING),
    }[kind]
    values = np.linspace(-3, 8, 100)
    interval = visualization.ManualInterval(-1, 7)
    assert np.allclose(
        Scale(-1, 7, kind).shown(values), stretch(interval(values)), atol=1e-7
    )  # theirs: float32


def test_log10_is_linear_in_decades() -> None:
    assert np.allclose(
        Scale(0.01, 1000, "log10").shown(np.logspace(-3, 4, 8)), [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_scale_can_be_undone_inside_its_range(kind: str) -> None:
    scale = Scale(0.5, 2e5, kind)
    values = np.geomspace(0.5, 2e5, 1000)
    assert np.allclose(scale.physical(scale.shown(values)), values, rtol=1e-12)
    assert scale.physical(np.array([0.0, 1.0])) == pytest.approx([0.5, 2e5])


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf")), (0, 1e38), (0, "1")]
)
def test_a_range_must_be_a_range(low: float, high: float) -> None:
    with pytest.raises(UserError, match=r"must be numbers of at most 1e\+37, low below high, but got"):
        Scale(low, high, "linear")


def test_decades_need_positive_numbers() -> None:
    with pytest.raises(UserError, match=r"domain\.low must be above 0 for domain\.stretch=log10, but got 0"):
        Scale(0, 1, "log10")


def test_an_unknown_stretch_lists_the_known() -> None:
    with pytest.raises(
        UserError, match=r"domain\.stretch must be one of: asinh, linear, log10, sqrt, but got 'log'"
    ):
        Scale(1, 2, "log")
