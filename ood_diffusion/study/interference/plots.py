"""Capture by the training domain: against eta, and by the way latents are proposed."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, Drawing, arms, panel, svg
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.interference.section import AtEta, Figures, Place

DOMAINS = (("fid_unseen", "unseen domain", BLUE), ("fid_training", "training domain", ORANGE))


def capture_curve(curve: Sequence[AtEta], false_capture: Estimate) -> Drawing:
    """Capture rate in percent with its interval against eta, above the probe's false rate; SVG text.

    Args:
        curve: ascending.
        false_capture: share of real images of the unseen domain that the probe gives to the other one.
    """
    figure, axes = panel("eta", "captured (%)")
    _points(axes, curve, [each.capture for each in curve], "samples", BLUE, scale=100)
    band = (100 * false_capture.low, 100 * false_capture.high)
    axes.axhspan(*band, color=GREEN, alpha=0.3, linewidth=0, label="real images of the unseen domain")
    axes.set_ylim(-4, 104)
    return svg(figure, axes)


def fid_curves(curve: Sequence[AtEta], training_domain: Place) -> Drawing:
    """FID against held-out images of each domain, with intervals, against eta; SVG text.

    Args:
        curve: ascending.
        training_domain: of images of it, whose FID is a line: the gap between the two.
    """
    figure, axes = panel("eta", "FID")
    for key, name, colour in DOMAINS:
        _points(axes, curve, [getattr(each, key) for each in curve], f"to {name}", colour)
    gap = training_domain.fid_unseen.value
    axes.axhline(gap, color=INK, linewidth=1, linestyle=":", label="between the domains")
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def sampler_bars(compared: Mapping[str, Figures], false_capture: Estimate, training_domain: Place) -> Drawing:
    """Capture rate and FID against both domains, a row per way to propose latents; SVG text.

    Args:
        compared: by name; the first one on top.
        false_capture: as in `capture_curve`.
        training_domain: as in `fid_curves`.
    """
    figure, left = panel("captured (%)", "", height=1.3 + 0.36 * len(compared))
    columns = figure.add_gridspec(1, 2)
    left.set_subplotspec(columns[0, 0])
    right = figure.add_subplot(columns[0, 1], sharey=left)
    right.set_xlabel("FID", color=INK)
    right.set_facecolor(left.get_facecolor())
    right.tick_params(colors=INK, labelsize=9, labelleft=False, left=False)
    right.spines[["top", "right", "left"]].set_visible(False)
    right.grid(axis="x", color=left.xaxis.get_gridlines()[0].get_color(), linewidth=0.7)
    right.set_axisbelow(True)
    rows = list(compared.values())
    places = list(range(len(rows)))
    captured = [found.capture for found in rows]
    shares = [100 * each.value for each in captured]
    left.barh(places, shares, height=0.55, color=BLUE, alpha=0.8)
    left.errorbar(shares, places, xerr=arms(captured, 100), fmt="none", ecolor=INK)
    left.axvspan(100 * false_capture.low, 100 * false_capture.high, color=GREEN, alpha=0.3, linewidth=0)
    left.set_xlim(0, 100)
    left.set_yticks(places, list(compared))
    left.grid(visible=False, axis="y")
    for key, name, colour in DOMAINS:
        offset, fids = -0.12 if key == "fid_unseen" else 0.12, [getattr(found, key) for found in rows]
        right.errorbar(
            [fid.value for fid in fids], [place + offset for place in places], xerr=arms(fids), fmt="o",
            color=colour, markersize=4, label=f"to {name}",
        )  # fmt: skip
    gap = training_domain.fid_unseen.value
    right.axvline(gap, color=INK, linewidth=1, linestyle=":", label="between the domains")
    right.set_xlim(left=0)
    left.invert_yaxis()
    return svg(figure, right)


def _points(
    axes: Axes, curve: Sequence[AtEta], found: Sequence[Estimate], label: str, colour: str, scale: float = 1
) -> None:
    etas, values, reach = [each.eta for each in curve], [scale * x.value for x in found], arms(found, scale)
    axes.errorbar(etas, values, reach, color=colour, capsize=4, marker="o", markersize=4, label=label)
