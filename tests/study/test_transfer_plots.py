"""Plots of style transfer."""

import xml.etree.ElementTree as ElementTree

from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.transfer.plots import content_curve, style_curve
from ood_diffusion.study.transfer.section import Result, Scores


def interval(value: float) -> Estimate:
    return Estimate(value, 0.9 * value, 1.1 * value, 32)


RESULTS = [
    Result(interval(100 + level / 10), interval(level / 1000), way, level)
    for way, level in (("pixels", 0.0), ("transport", 300.0), ("transport", 500.0), ("blend", 500.0))
]
ENDS = {"source": Scores(interval(300), interval(1)), "truth": Scores(interval(50), interval(1))}


def test_both_curves_are_svg_and_follow_the_numbers() -> None:
    for drawn in (style_curve(RESULTS, ENDS, 500.0), content_curve(RESULTS, 32, 500.0, 0.5)):
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert style_curve(RESULTS, ENDS, 500.0) == style_curve(RESULTS, ENDS, 500.0)
    other = {**ENDS, "truth": Scores(interval(60), interval(1))}
    assert style_curve(RESULTS, ENDS, 500.0) != style_curve(RESULTS, other, 500.0)
    curve = content_curve(RESULTS, 32, 500.0, 0.5)
    assert content_curve(RESULTS, 16, 500.0, 0.5) != curve != content_curve(RESULTS, 32, 500.0, 0.6)
