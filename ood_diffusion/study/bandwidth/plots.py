"""How far latents may be moved, by angle and by level, and which level that recommends."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, Drawing, arms, panel, svg
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.study.bandwidth.section import EtaBands, Level, Point


def curves_plot(levels: Sequence[Level], training: Sequence[Level], real: float) -> Drawing:
    """Share of moved images inside the domain (%) against the angle, two lines per level; SVG text.

    Thick: turned in a random direction. Thin, without legend entries of their own: towards another
    reference, up to half way, where the line ends.

    Args:
        levels: of the unseen domain.
        training: of the training domain, drawn dashed.
        real: share of real images of the unseen domain inside, in [0, 1].
    """
    figure, axes = panel("angle from the latent (degrees)", "inside the domain (%)", height=3.4)
    colours = mpl.colormaps["viridis"]
    for i, found in enumerate(levels):
        colour = colours(0.9 * i / max(len(levels) - 1, 1))
        axes.plot(*_turned(found), "o-", color=colour, markersize=4, label=f"level {found.level:g}")
        axes.plot(*_towards(found), "^-.", color=colour, markersize=3, linewidth=0.9)
    for found in training:
        label = f"training domain, level {found.level:g}"
        axes.plot(*_turned(found), "s--", color=ORANGE, markersize=4, label=label)
        axes.plot(*_towards(found), "^-.", color=ORANGE, markersize=3, linewidth=0.9)
    axes.plot([], [], "^-.", color=INK, markersize=3, linewidth=0.9, label="towards another reference")
    axes.axhline(100 * real, color=INK, linewidth=1, linestyle=":", label="real images")
    axes.set_ylim(-3, 103)
    return svg(figure, axes)


def band_plot(levels: Sequence[Level], training: Sequence[Level]) -> Drawing:
    """Bandwidth with its interval against the level, of the unseen and the training domain; SVG text.

    Open markers: the share inside never fell to half, so the band is wider than the largest angle.
    """
    figure, axes = panel("level", "bandwidth (degrees)")
    for sets, colour, name in ((levels, BLUE, "unseen domain"), (training, ORANGE, "training domain")):
        shift = 0.0 if colour == BLUE else 8.0  # beside each other, not on each other
        at, bands = [found.level + shift for found in sets], [found.bandwidth for found in sets]
        values = [band.value for band in bands]
        axes.errorbar(at, values, arms(bands), fmt="o-", color=colour, capsize=4, label=name)
        wider = [(x, band.value) for x, band in zip(at, bands, strict=True) if band.censored]
        if wider:
            axes.plot(*zip(*wider, strict=True), "o", color="white", markeredgecolor=colour, zorder=3)
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def eta_plot(found: EtaBands) -> Drawing:
    """Share of inverted images (%) that are still recognised, against eta, of both domains; SVG text.

    Shaded: the unseen domain's band, up to the eta at which half are lost.
    """
    figure, axes = panel("eta", "nearest to its own original (%)")
    for band, name, colour, marker in (
        (found.unseen, "unseen domain", BLUE, "o-"),
        (found.training, "training domain", ORANGE, "s--"),
    ):
        shares = [100 * share for share in band.recognised]
        axes.plot(found.etas, shares, marker, color=colour, markersize=4, label=name)
    axes.axvspan(0, found.unseen.value, color=BLUE, alpha=0.12, linewidth=0)
    axes.axhline(100 / found.unseen.n, color=INK, linewidth=1, linestyle=":", label="chance")
    axes.set_ylim(-3, 103)
    return svg(figure, axes)


def recommendation_plot(
    levels: Sequence[Level], fids: Mapping[float, Estimate], recommended: float, floor: float
) -> Drawing:
    """FID with its interval against the level, and the score that chose one without FID; SVG text.

    Args:
        levels: each measured level.
        fids: level -> FID of samples from it.
        recommended: the chosen level.
        floor: FID of real images.
    """
    figure, axes = panel("level", "FID")
    at, values, reach = list(fids), [fid.value for fid in fids.values()], arms(fids.values())
    axes.errorbar(at, values, reach, fmt="o-", color=BLUE, capsize=4, label="FID")
    axes.set_ylim(bottom=0)
    axes.axhline(floor, color=ORANGE, linewidth=1, linestyle=":", label="real images")
    axes.axvline(recommended, color=INK, linewidth=1, linestyle=":", label="recommended")
    scale = axes.twinx()
    scale.set_ylabel("score", color=GREEN)
    scale.tick_params(colors=GREEN, labelsize=9)
    scale.spines[["top"]].set_visible(False)
    scale.plot([each.level for each in levels], [each.score for each in levels], "s--", color=GREEN)
    scale.set_ylim(0, 1)
    axes.plot([], [], "s--", color=GREEN, label="score (right)")
    return svg(figure, axes)


def _turned(found: Level) -> tuple[list[float], list[float]]:
    return _points(found.curve)


def _towards(found: Level) -> tuple[list[float], list[float]]:
    return _points([*found.towards, found.half_way])


def _points(curve: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.angle for point in curve], [100 * point.inside for point in curve]
