"""Plots of style transfer."""

import xml.etree.ElementTree as ElementTree

from ood_diffusion.study.transfer.plots import content_curve, style_curve


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": 0.9 * value, "high": 1.1 * value}


RESULTS = [
    {"way": way, "level": level, "fid": interval(100 + level / 10), "content": interval(level / 1000)}
    for way, level in (("pixels", 0.0), ("transport", 300.0), ("transport", 500.0), ("blend", 500.0))
]
ENDS = {"source": interval(300), "truth": interval(50)}


def test_both_curves_are_svg_and_follow_the_numbers() -> None:
    for drawn in (style_curve(RESULTS, ENDS, 500.0), content_curve(RESULTS, 32, 500.0, 0.5)):
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert style_curve(RESULTS, ENDS, 500.0) == style_curve(RESULTS, ENDS, 500.0)
    assert style_curve(RESULTS, ENDS, 500.0) != style_curve(RESULTS, {**ENDS, "truth": interval(60)}, 500.0)
    curve = content_curve(RESULTS, 32, 500.0, 0.5)
    assert content_curve(RESULTS, 16, 500.0, 0.5) != curve != content_curve(RESULTS, 32, 500.0, 0.6)
