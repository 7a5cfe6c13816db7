"""Quality against the number of references."""

from collections.abc import Mapping, Sequence
from typing import Any

from ood_diffusion.report.figures import BLUE, INK, ORANGE, panel, svg


def quality_curve(curve: Sequence[Mapping[str, Any]], floor: float) -> str:
    """FID with its interval, and every run, against the number of references on a log axis; SVG text.

    Args:
        curve: "n_references", "fid" (value, low, high) and "runs" (each with "fid"), ascending.
        floor: FID of real images.
    """
    figure, axes = panel("references", "FID")
    counts = [point["n_references"] for point in curve]
    values = [point["fid"]["value"] for point in curve]
    below = [point["fid"]["value"] - point["fid"]["low"] for point in curve]
    above = [point["fid"]["high"] - point["fid"]["value"] for point in curve]
    axes.errorbar(counts, values, [below, above], color=BLUE, capsize=4, label="mean and 95 % interval")
    runs = [(point["n_references"], run["fid"]) for point in curve for run in point["runs"]]
    axes.plot(
        *zip(*runs, strict=True), "o", color=ORANGE, markersize=4, alpha=0.8, label="one subset, one seed"
    )
    axes.axhline(floor, color=INK, linewidth=1, linestyle=":", label="real images")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(bottom=0)
    return svg(figure, axes)
