"""Bank of latents -> the references again: how exact is the round trip?"""

import torch

from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.pixels import psnr
from ood_diffusion.stages.cell import Cell


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


def reconstruction_ids(cell: Cell) -> dict[str, str]:
    """Digest of each reference -> id of its reconstruction, the digest of its latent."""
    references = list(cell.references)
    return dict(zip(references, cell.bank.digests(references), strict=True))
