"""The pictures of the stage analyse: round trips, spectra, components, AUC, angles, and latents as images."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ood_diffusion.report.figures import BLUE, INK, ORANGE, PURPLE, Drawing, arms, panel, save, svg
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.images import first
from ood_diffusion.runs.run import Run
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.analyse.latents import Compared, angles, principal
from ood_diffusion.study.analyse.round_trip import RoundTrips, domains

COLOURS = {"unseen": BLUE, "training": ORANGE}
LINES = ("-", "--", ":", "-.")
SHOWN = 4
"""Images of each domain whose latents are shown as pictures."""

PICTURES = {
    "round_trip": "analyse_round_trip.svg",
    "spectra": "analyse_spectra.svg",
    "auc": "analyse_separability.svg",
    "components": "analyse_components.svg",
    "angles": "analyse_angles.svg",
    "latents": "analyse_latents.png",
}

SHOWN_SD = 3.0
"""A latent's values from minus to plus this many standard deviations of N(0, I) span black to white."""


def round_trip_curve(trips: RoundTrips) -> Drawing:
    """PSNR with intervals against network calls, a line per domain (colour) and solver (style); SVG text."""
    figure, axes = panel("network calls per image, both ways (at most)", "round-trip PSNR (dB)", 3.2)
    solvers = list(dict.fromkeys(row.solver for row in trips.curve))
    for domain in COLOURS:
        for solver, line in zip(solvers, LINES * len(solvers), strict=False):
            rows = [row for row in trips.curve if (row.domain, row.solver) == (domain, solver)]
            rows.sort(key=lambda row: row.calls)
            axes.errorbar(
                [row.calls for row in rows],
                [row.psnr.value for row in rows],
                arms(row.psnr for row in rows),
                color=COLOURS[domain],
                linestyle=line,
                capsize=3,
                label=f"{domain}, {solver}",
            )
    if trips.rounding is not None:
        axes.axhline(trips.rounding, color=INK, linewidth=1, linestyle=":", label="rounding to bytes")
    axes.set_xscale("log", base=2)
    ticks = sorted({row.calls for row in trips.curve})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    return svg(figure, axes)


def spectra(levels: Sequence[Compared]) -> Drawing:
    """Radial power spectra, a colour per level, unseen domain solid and training domain dashed; SVG text."""
    figure, axes = panel("cycles per image", "power per channel", 3.4)
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(levels)))
    for shade, found in zip(shades, levels, strict=True):
        for latents, line in ((found.unseen, "-"), (found.training, "--")):
            label = f"level {found.level:.4g}" if latents is found.unseen else None
            curve = latents.spectrum
            axes.plot(curve["frequency"], curve["power"], line, color=shade, linewidth=1.4, label=label)
    for domain, line in (("unseen", "-"), ("training", "--")):
        axes.plot([], [], line, color=INK, label=domain)
    axes.axhline(1, color=INK, linewidth=1, linestyle=":", label="N(0, I)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    return svg(figure, axes)


def components(coordinates: Mapping[str, NDArray[np.floating]], shares: Sequence[float]) -> Drawing:
    """Scatter of the first two principal components (``[n, 2]`` per domain); SVG text.

    `shares`: of the variance along each, in [0, 1].
    """
    labels = [f"component {i} ({share:.1%} of variance)" for i, share in enumerate(shares, start=1)]
    figure, axes = panel(labels[0], labels[1], 3.4)
    for domain, points in coordinates.items():
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=14,
            color=COLOURS[domain],
            alpha=0.75,
            linewidth=0,
            label=domain,
        )
    return svg(figure, axes)


def auc_curve(levels: Sequence[Compared]) -> Drawing:
    """Cross-validated AUC against level, ascending, of latents and of trivial features, with the null's
    range; SVG text."""
    figure, axes = panel("level t", "AUC, unseen against training", 3.0)
    x = [found.level for found in levels]
    tests = [found.separability for found in levels]
    axes.fill_between(
        x,
        [test.null_low for test in tests],
        [test.null_high for test in tests],
        color=INK,
        alpha=0.16,
        linewidth=0,
        label="labels permuted, 95 %",
    )
    trivial = [found.trivial_separability for found in levels]
    for measured, colour, line, label in (
        (tests, BLUE, "-", "latents"),
        (trivial, PURPLE, "--", "norm, colour, spectrum"),
    ):
        axes.plot(
            x,
            [test.statistic for test in measured],
            line,
            color=colour,
            marker="o",
            markersize=4,
            label=label,
        )
    axes.set_ylim(min(0.35, *axes.get_ylim()), 1.02)
    return svg(figure, axes)


def angle_curves(
    angles: Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]], dimensions: int
) -> Drawing:
    """Histograms of angles at vertices and at the origin, in degrees, with what N(0, I) predicts; SVG text.

    Args:
        angles: domain -> angles at the origin, angles in triangles.
        dimensions: d of the latents.
    """
    figure, axes = panel("angle (degrees)", "share per degree", 3.0)
    edges = np.arange(0, 181.0)
    for domain, (origin, vertex) in angles.items():
        for values, line, where in ((vertex, "--", "in triangles"), (origin, "-", "at the origin")):
            shares = np.histogram(values, edges)[0] / len(values)
            axes.stairs(shares, edges, color=COLOURS[domain], linestyle=line, label=f"{domain}, {where}")
    sd = np.degrees(1 / np.sqrt(dimensions))
    for mean, width in ((60, 2 * sd * 0.75**0.5), (90, 2 * sd)):
        label = "N(0, I): mean ± 2 sd" if mean == 60 else None
        axes.axvspan(mean - width, mean + width, color=INK, alpha=0.16, linewidth=0, label=label)
    every = np.concatenate([values for pair in angles.values() for values in pair])
    axes.set_xlim(np.floor(min(every.min(), 58)) - 2, np.ceil(max(every.max(), 92)) + 2)
    return svg(figure, axes)


def draw_pictures(
    run: Run,
    trips: RoundTrips,
    found: Sequence[Compared],
    states: Mapping[str, Tensor],
    own: int,
) -> None:
    """Write every picture of the stage to the run folder; `own` numbers the level nearest to the run's."""
    latents = {name: z[:, own] for name, z in states.items()}
    size = latents["unseen"][0].numel()
    originals = [run.pictures.read(list(first(images, SHOWN).values())) for images in domains(run).values()]
    sheet = latent_sheet(run.view(torch.cat(originals)), torch.cat([z[:SHOWN] for z in states.values()]))
    files = {
        "round_trip": round_trip_curve(trips),
        "spectra": spectra(found),
        "auc": auc_curve(found),
        "components": components(*principal(latents)),
        "angles": angle_curves({name: angles(z) for name, z in latents.items()}, size),
    }
    for name, drawn in files.items():
        save(run.workspace.folder / PICTURES[name], drawn)
    atomic_write(run.workspace.folder / PICTURES["latents"], png_bytes(sheet))


def latent_sheet(originals: Tensor, states: Tensor) -> Tensor:
    """Images and their latents as one picture: a row per image, first the image, then its states.

    Args:
        originals: uint8 ``[n, 3, H, W]``.
        states: float ``[n, levels, C, h, w]``; enlarged to H × W where smaller. One channel is shown grey,
            of more than three the first three.

    Returns:
        uint8 ``[3, height, width]``; values of -3 and below are black, 0 is grey, 3 and above white.
    """
    n, levels, channels = states.shape[:3]
    shown = states[:, :, :3] if channels >= 3 else states[:, :, :1].expand(-1, -1, 3, -1, -1)
    enlarged = torch.nn.functional.interpolate(shown.flatten(0, 1).float(), size=originals.shape[2:])
    values = (enlarged.clamp(-SHOWN_SD, SHOWN_SD) / SHOWN_SD + 1) * 127.5
    pictures = values.round().to(torch.uint8).reshape(n, levels, *originals.shape[1:])
    return grid(torch.cat([originals[:, None], pictures], dim=1).flatten(0, 1), levels + 1)
