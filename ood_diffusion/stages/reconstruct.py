"""Bank of latents -> the references again: how exact is the round trip?"""

import logging

import torch

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.pixels import psnr, to_bytes, to_unit_range
from ood_diffusion.runs.cell import Cell

log = logging.getLogger(__name__)

POOR = 30.0
"""PSNR in dB below which a latent hardly stands for its image."""
CLOSE = 3.0
"""Within so many dB of the round trip to level 0 neither steps nor solver are to blame."""


def reconstruct(cell: Cell) -> None:
    """Decode the bank deterministically (eta 0 whatever the cell's eta) and measure PSNR."""
    ids = reconstruction_ids(cell)
    cell.predict(
        cell.images(eta=0.0),
        cell.bank,
        {target: source for source, target in ids.items()},
        Generator(cell.model, cell.solver, cell.levels, eta=0.0, seed=0),
        "reconstruct",
    )
    rebuilt = cell.images(eta=0.0).blocks(list(ids.values()))
    originals = cell.pictures.blocks([cell.references[i] for i in ids])
    decibels = torch.cat([psnr(a, b) for a, b in zip(rebuilt, originals, strict=True)])
    cell.results["reconstruct"] = {
        "psnr_mean": float(decibels.mean()),
        "psnr_sd": float(decibels.std()),
        "psnr_min": float(decibels.min()),
        "level": cell.settings.level,
        "steps": cell.settings.steps,
        "n": len(ids),
    }
    if (reached := float(decibels.mean())) < POOR:
        limit = psnr_at_level_0(cell)
        log.warning(
            "reconstruct: round trips to level %g give images back at %.1f dB, those to level 0 at %.1f dB. "
            "Below %g dB latents hardly stand for their images: %s",
            cell.levels[-1], reached, limit, POOR,
            "use more steps, a lower level or solver=fixed_point."
            if limit - reached > CLOSE
            else "use another model; the loss is its autoencoder's.",
        )  # fmt: skip


@torch.inference_mode()
def psnr_at_level_0(cell: Cell) -> float:
    """Mean PSNR in dB of a batch of references that are encoded and decoded: of an autoencoder alone."""
    originals = cell.pictures.read(list(cell.references.values())[: cell.batch_size])
    device = cell.ranks.device
    model = cell.model.to(device)
    try:
        images = model.decode(model.encode(to_unit_range(originals.to(device))))
    finally:
        model.cpu()
    return float(psnr(to_bytes(images).cpu(), originals).mean())


def reconstruction_ids(cell: Cell) -> dict[str, str]:
    """Digest of each reference -> id of its reconstruction, the digest of its latent."""
    references = list(cell.references)
    return dict(zip(references, cell.bank.digests(references), strict=True))
