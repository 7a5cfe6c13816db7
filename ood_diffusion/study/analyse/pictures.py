"""The pictures of the stage analyse."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.run import Run
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.analyse.latents import angles, principal
from ood_diffusion.study.analyse.plots import (
    angle_curves,
    auc_curve,
    components,
    round_trip_curve,
    spectra,
)
from ood_diffusion.study.analyse.round_trip import domains, first

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


def draw_pictures(
    run: Run,
    trips: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]],
    states: Mapping[str, Tensor],
    own: int,
) -> None:
    """Write every picture of the stage to the run folder; `own` numbers the level nearest to the run's."""
    latents = {name: z[:, own] for name, z in states.items()}
    size = latents["unseen"][0].numel()
    originals = [run.pictures.read(list(first(images, SHOWN).values())) for images in domains(run).values()]
    sheet = latent_sheet(torch.cat(originals), torch.cat([z[:SHOWN] for z in states.values()]))
    files = {
        "round_trip": round_trip_curve(trips["curve"], trips["rounding"]),
        "spectra": spectra(found),
        "auc": auc_curve(found),
        "components": components(*principal(latents)),
        "angles": angle_curves({name: angles(z) for name, z in latents.items()}, size),
    }
    for name, text in files.items():
        atomic_write(run.workspace.folder / PICTURES[name], text.encode())
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
