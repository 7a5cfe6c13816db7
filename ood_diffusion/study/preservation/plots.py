"""What tuning buys in one domain and costs in the other; what SDEdit gets at each level."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from ood_diffusion.report.figures import BLUE, INK, ORANGE, PANEL, PURPLE, Drawing, arms, panel, svg
from ood_diffusion.report.wording import percent
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.preservation.section import Edited, Figures, Tuned


def trade_off(frozen: Estimate, ours: Estimate, copies: Sequence[Tuned]) -> Drawing:
    """FID in the unseen domain against FID in the training domain, with 95 % intervals; SVG text.

    Args:
        frozen: the frozen model in the training domain.
        ours: its new images in the unseen domain.
        copies: joined by a line in the order of budgets.
    """
    figure, axes = panel("FID in the training domain", "FID in the unseen domain", height=3.6)
    models = [("frozen, sampled", BLUE, frozen, ours)]
    ordered = sorted(copies, key=lambda each: each.budget)
    models += [
        (f"fine-tuned, {each.budget:g} × calls", ORANGE, each.fid_training, each.fid_unseen)
        for each in ordered
    ]
    x = [each.fid_training.value for each in ordered]
    axes.plot(x, [each.fid_unseen.value for each in ordered], color=ORANGE, linewidth=1, alpha=0.6)
    for name, colour, across, up in models:
        axes.errorbar(
            across.value,
            up.value,
            arms([up]),
            arms([across]),
            fmt="o",
            color=colour,
            capsize=3,
            elinewidth=1.2,
        )
        label(axes, name, (across.value, up.value), (7, 7))
    axes.set_xlim(0, 1.4 * max(across.high for _, _, across, _ in models))  # room for the names
    axes.set_ylim(0, 1.15 * max(up.high for _, _, _, up in models))
    return svg(figure, axes)


def sdedit_levels(levels: Sequence[Edited], ours: Figures) -> Drawing:
    """FID of SDEdit against its level, with the share of near-copies at each point, beside ours; SVG text."""
    figure, axes = panel("level to which references are noised", "FID in the unseen domain")
    ordered = sorted(levels, key=lambda each: each.level)
    x, y = [each.level for each in ordered], [each.fid_unseen.value for each in ordered]
    error = arms(each.fid_unseen for each in ordered)
    axes.errorbar(x, y, error, color=PURPLE, marker="o", capsize=4, label="SDEdit (share of near-copies)")
    for each in ordered:
        label(axes, percent(each.copies), (each.level, each.fid_unseen.value), (7, -3))
    mine, share = ours.fid_unseen, percent(ours.copies)
    axes.axhspan(mine.low, mine.high, color=BLUE, alpha=0.18, linewidth=0)
    axes.axhline(mine.value, color=BLUE, linewidth=1.4, label=f"ours ({share} near-copies)")
    axes.set_xticks(x)
    axes.margins(x=0.15)
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def label(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float]) -> None:
    """Text beside a point, `offset` in points of type away from it, readable across lines."""
    paper = {"facecolor": PANEL, "edgecolor": "none", "alpha": 0.8, "pad": 1}
    axes.annotate(
        text, point, offset, textcoords="offset points", color=INK, fontsize=8.5, bbox=paper, zorder=5
    )
