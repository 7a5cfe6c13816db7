"""Bank of latents -> the references again: how exact is the round trip?"""

import torch
from torch import Tensor

from ood_diffusion.lightning.trajectory import Generator
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


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, one per image, of uint8 images ``[n, C, H, W]``.

    The peak is 255. Equal images would give infinity; the error is floored at that of one pixel
    value in one level, so a mean over images stays finite.
    """
    error = (a.double() - b.double()).square().flatten(1)
    return 10 * (255.0**2 / error.mean(dim=1).clamp_min(1 / error.shape[1])).log10()
