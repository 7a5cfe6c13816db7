"""Quality against the number of references."""

from collections.abc import Sequence

from ood_diffusion.report.figures import BLUE, INK, ORANGE, arms, panel, svg
from ood_diffusion.study.few_shot.section import AtCount


def quality_curve(curve: Sequence[AtCount], floor: float) -> str:
    """FID with its interval, and every run, against the number of references on a log axis; SVG text.

    Args:
        curve: ascending; each of its `runs` has a "fid".
        floor: FID of real images.
    """
    figure, axes = panel("references", "FID")
    counts = [point.n_references for point in curve]
    values = [point.fid.value for point in curve]
    reach = arms(point.fid for point in curve)
    axes.errorbar(counts, values, reach, color=BLUE, capsize=4, label="mean and 95 % interval")
    runs = [(point.n_references, run["fid"]) for point in curve for run in point.runs]
    axes.plot(
        *zip(*runs, strict=True), "o", color=ORANGE, markersize=4, alpha=0.8, label="one subset, one seed"
    )
    axes.axhline(floor, color=INK, linewidth=1, linestyle=":", label="real images")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(bottom=0)
    return svg(figure, axes)
