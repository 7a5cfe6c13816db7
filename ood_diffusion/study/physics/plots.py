"""Power spectra, radial profiles and intensities of several sets of images."""

from collections.abc import Mapping

from ood_diffusion.report.figures import COLOURS, PURPLE, Drawing, panel, svg

LABELS = {
    "power_spectrum": ("cycles per image", "log10 power per mode (mean 1)"),
    "radial_profile": ("distance from the centre (share of half a side)", "luminance (mean 1)"),
    "intensity_pdf": ("luminance", "probability density"),
    "log_intensity_pdf": ("log10 of luminance", "probability density"),
}
"""Curve -> what its axes show."""


def bands(
    curve: str, axes_show: tuple[str, str], x: list[float], sets: Mapping[str, Mapping[str, list[float]]]
) -> Drawing:
    """Mean of each set, with the band that holds its middle 68 % of images; SVG text.

    Args:
        curve: its name.
        axes_show: their labels, x and y.
        x: where the curve is known.
        sets: name -> "mean", "low", "high", each as long as `x`; names that `report.figures.COLOURS` does not
            know are drawn as a dashed mean (the twin's dotted) without a band.
    """
    figure, axes = panel(*axes_show, height=3.2)
    for name, values in sets.items():
        colour, known = COLOURS.get(name, PURPLE), name in COLOURS
        title, dashes = name.replace("_", "-"), ":" if name == "twin" else "--"
        axes.plot(
            x, values["mean"], color=colour, linewidth=1.6, linestyle="-" if known else dashes, label=title
        )
        if known:
            axes.fill_between(x, values["low"], values["high"], color=colour, alpha=0.16, linewidth=0)
    if curve.startswith("power_spectrum"):
        axes.set_xscale("log", base=2)
        ticks = [2**i for i in range(int(max(x)).bit_length())]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
    elif not curve.startswith("euler"):
        axes.set_ylim(bottom=0)
    return svg(figure, axes)
