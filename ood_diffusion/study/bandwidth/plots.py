"""How far latents may be moved, by angle and by level, and which level that recommends."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, panel, svg

Levels = Sequence[Mapping[str, Any]]
"""As in `results.json`: each with "level", "curve", "towards", "half_way", "bandwidth" and "score"."""


def curves_plot(levels: Levels, training: Levels, real: float) -> str:
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
        axes.plot(*_turned(found), "o-", color=colour, markersize=4, label=f"level {found['level']:g}")
        axes.plot(*_towards(found), "^-.", color=colour, markersize=3, linewidth=0.9)
    for found in training:
        label = f"training domain, level {found['level']:g}"
        axes.plot(*_turned(found), "s--", color=ORANGE, markersize=4, label=label)
        axes.plot(*_towards(found), "^-.", color=ORANGE, markersize=3, linewidth=0.9)
    axes.plot([], [], "^-.", color=INK, markersize=3, linewidth=0.9, label="towards another reference")
    axes.axhline(100 * real, color=INK, linewidth=1, linestyle=":", label="real images")
    axes.set_ylim(-3, 103)
    return svg(figure, axes)


def band_plot(levels: Levels, training: Levels) -> str:
    """Bandwidth with its interval against the level, of the unseen and the training domain; SVG text.

    Open markers: the share inside never fell to half, so the band is wider than the largest angle.
    """
    figure, axes = panel("level", "bandwidth (degrees)")
    for sets, colour, name in ((levels, BLUE, "unseen domain"), (training, ORANGE, "training domain")):
        at = [found["level"] for found in sets]
        bands = [found["bandwidth"] for found in sets]
        values = [band["value"] for band in bands]
        low = [band["value"] - band["low"] for band in bands]
        high = [band["high"] - band["value"] for band in bands]
        shift = 0.0 if colour == BLUE else 8.0  # beside each other, not on each other
        axes.errorbar(
            [x + shift for x in at], values, [low, high], fmt="o-", color=colour, capsize=4, label=name
        )
        wider = [(x + shift, band["value"]) for x, band in zip(at, bands, strict=True) if band["censored"]]
        if wider:
            axes.plot(*zip(*wider, strict=True), "o", color="white", markeredgecolor=colour, zorder=3)
    axes.set_ylim(bottom=0)
    return svg(figure, axes)


def eta_plot(found: Mapping[str, Any]) -> str:
    """Share of inverted images (%) that are still given back, against eta, of both domains; SVG text.

    `found`: "etas", and "unseen" and "training", each with "recognised" (shares) and "n".
    """
    figure, axes = panel("eta", "nearest to its own original (%)")
    for name, colour, marker in (("unseen", BLUE, "o-"), ("training", ORANGE, "s--")):
        shares = [100 * share for share in found[name]["recognised"]]
        axes.plot(found["etas"], shares, marker, color=colour, markersize=4, label=f"{name} domain")
    axes.axhline(100 / found["unseen"]["n"], color=INK, linewidth=1, linestyle=":", label="chance")
    axes.set_ylim(-3, 103)
    return svg(figure, axes)


def recommendation_plot(
    levels: Levels, checked: Sequence[Mapping[str, Any]], recommended: float, floor: float
) -> str:
    """FID with its interval against the level, and the score that chose one without FID; SVG text.

    Args:
        levels: with "level" and "score".
        checked: with "level" and "fid" (value, low, high).
        recommended: the chosen level.
        floor: FID of real images.
    """
    figure, axes = panel("level", "FID")
    at, fids = [each["level"] for each in checked], [each["fid"] for each in checked]
    below = [fid["value"] - fid["low"] for fid in fids]
    above = [fid["high"] - fid["value"] for fid in fids]
    axes.errorbar(
        at, [fid["value"] for fid in fids], [below, above], fmt="o-", color=BLUE, capsize=4, label="FID"
    )
    axes.set_ylim(bottom=0)
    axes.axhline(floor, color=ORANGE, linewidth=1, linestyle=":", label="real images")
    axes.axvline(recommended, color=INK, linewidth=1, linestyle=":", label="recommended")
    scale = axes.twinx()
    scale.set_ylabel("score", color=GREEN)
    scale.tick_params(colors=GREEN, labelsize=9)
    scale.spines[["top"]].set_visible(False)
    scale.plot([each["level"] for each in levels], [each["score"] for each in levels], "s--", color=GREEN)
    scale.set_ylim(0, 1)
    axes.plot([], [], "s--", color=GREEN, label="score (right)")
    return svg(figure, axes)


def _turned(found: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    return _points(found["curve"])


def _towards(found: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    return _points([*found["towards"], found["half_way"]])


def _points(curve: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [point["angle"] for point in curve], [100 * point["inside"] for point in curve]
