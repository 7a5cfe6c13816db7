"""Style and content of transferred images against the level of their latents."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, PURPLE, panel, svg

Results = Sequence[Mapping[str, Any]]
STYLES = {
    "transport": (BLUE, "transport"),
    "blend": (PURPLE, "and on towards a latent"),
    "pixels": (ORANGE, "on pixels, no model"),
}


def style_curve(results: Results, ends: Mapping[str, Mapping[str, float]], level: float) -> str:
    """FID to the other style with its interval against the level; SVG text.

    Args:
        results: "way" (a key of `STYLES`), "level" and "fid" ("value", "low", "high").
        ends: "source" and "truth", the FID of each, drawn with their intervals.
        level: the run's own.
    """
    figure, axes = panel("level (0: pixels)", "FID to the other style")
    _points(axes, results, "fid", 1)
    for name, colour, label in (
        ("source", INK, "untransformed"),
        ("truth", GREEN, "real images of that style"),
    ):
        axes.axhline(ends[name]["value"], color=colour, linewidth=1.4, linestyle="--", label=label)
        axes.axhspan(ends[name]["low"], ends[name]["high"], color=colour, alpha=0.12, linewidth=0)
    axes.axvline(level, color=INK, linewidth=0.8, linestyle=":", label="the run's level")
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def content_curve(results: Results, n: int, level: float, most: float) -> str:
    """Share of results whose own source is the most alike, in percent, against the level; SVG text.

    Args:
        results: as in `style_curve`, with "content".
        n: sources: chance is 1 / n.
        level: the run's own.
        most: the share above which content is kept.
    """
    figure, axes = panel("level (0: pixels)", "own source found (%)")
    _points(axes, results, "content", 100)
    axes.axhline(100 * most, color=GREEN, linewidth=1.4, linestyle="--", label="kept above this")
    axes.axhline(100 / n, color=INK, linewidth=1.4, linestyle="--", label="chance")
    axes.axvline(level, color=INK, linewidth=0.8, linestyle=":", label="the run's level")
    axes.set_ylim(-4, 104)
    return svg(figure, axes)


def _points(axes: Axes, results: Results, key: str, scale: float) -> None:
    for way, (colour, label) in STYLES.items():
        chosen = [found for found in results if found["way"] == way]
        values = [scale * found[key]["value"] for found in chosen]
        arms = [
            [scale * abs(found[key]["value"] - found[key][end]) for found in chosen]
            for end in ("low", "high")
        ]
        axes.errorbar(
            [found["level"] for found in chosen], values, arms, color=colour, marker="o", markersize=4,
            linestyle="-" if way == "transport" else "none", capsize=4, label=label,
        )  # fmt: skip
