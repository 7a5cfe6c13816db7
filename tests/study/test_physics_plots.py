"""Plots of physical statistics."""

import xml.etree.ElementTree as ElementTree

import pytest

from ood_diffusion.report.figures import PURPLE
from ood_diffusion.study.physics.plots import LABELS, bands

X = [1.0, 2.0, 3.0, 4.0]


def values(level: float) -> dict[str, list[float]]:
    return {"mean": [level] * 4, "low": [level - 1] * 4, "high": [level + 1] * 4}


@pytest.mark.parametrize("curve", LABELS)
def test_every_curve_is_drawn(curve: str) -> None:
    sets = {"samples": values(2), "references": values(3), "held_out": values(4)}
    drawn = bands(curve, LABELS[curve], X, sets)
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert drawn == bands(curve, LABELS[curve], X, sets)
    assert drawn != bands(curve, LABELS[curve], X, {**sets, "samples": values(2.5)})


def test_a_set_of_another_kind_has_no_band() -> None:
    drawn = bands(
        "radial_profile", LABELS["radial_profile"], X, {"samples": values(2), "blurred references": values(3)}
    )
    assert drawn.lower().count(PURPLE.lower()) == 2  # the line and its entry in the legend
