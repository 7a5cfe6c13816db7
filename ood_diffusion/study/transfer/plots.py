"""Style and content of transferred images against the level of their latents."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, PURPLE, Drawing, arms, panel, svg
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.transfer.section import Result, Scores

STYLES = {
    "transport": (BLUE, "transport"),
    "blend": (PURPLE, "transport, then towards a latent"),
    "pixels": (ORANGE, "in pixels, without the model"),
}


def style_curve(results: Sequence[Result], ends: Mapping[str, Scores], level: float) -> Drawing:
    """FID to the other style with its interval against the level; SVG text.

    Args:
        results: the way of each is a key of `STYLES`.
        ends: "source" and "truth", whose FIDs are drawn with their intervals.
        level: the run's own.
    """
    figure, axes = panel("level (0: pixels)", "FID to the other style")
    _points(axes, results, lambda result: result.fid, 1)
    for name, colour, label in (
        ("source", INK, "untransformed"),
        ("truth", GREEN, "real images of that style"),
    ):
        fid = ends[name].fid
        axes.axhline(fid.value, color=colour, linewidth=1.4, linestyle="--", label=label)
        axes.axhspan(fid.low, fid.high, color=colour, alpha=0.12, linewidth=0)
    axes.axvline(level, color=INK, linewidth=0.8, linestyle=":", label="the run's level")
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def content_curve(results: Sequence[Result], n: int, level: float, most: float) -> Drawing:
    """Share of results whose own source is the most alike, in percent, against the level; SVG text.

    Args:
        results: as in `style_curve`.
        n: sources: chance is 1 / n.
        level: the run's own.
        most: the share above which content is kept.
    """
    figure, axes = panel("level (0: pixels)", "own source retrieved (%)")
    _points(axes, results, lambda result: result.content, 100)
    axes.axhline(100 * most, color=GREEN, linewidth=1.4, linestyle="--", label="limit: content is kept")
    axes.axhline(100 / n, color=INK, linewidth=1.4, linestyle="--", label="chance")
    axes.axvline(level, color=INK, linewidth=0.8, linestyle=":", label="the run's level")
    axes.set_ylim(-4, 104)
    return svg(figure, axes)


def _points(axes: Axes, results: Sequence[Result], of: Callable[[Result], Estimate], scale: float) -> None:
    for way, (colour, label) in STYLES.items():
        chosen = [found for found in results if found.way == way]
        levels, found = [result.level for result in chosen], [of(result) for result in chosen]
        axes.errorbar(
            levels, [scale * each.value for each in found], arms(found, scale), color=colour, marker="o",
            markersize=4, linestyle="-" if way == "transport" else "none", capsize=4, label=label,
        )  # fmt: skip
