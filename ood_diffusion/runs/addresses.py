"""What determines the draws and the images of a cell, before they are there."""

from collections.abc import Sequence
from typing import Any

from ood_diffusion.runs.cell import Cell


def recipe_of_draws(cell: Cell, references: Sequence[str]) -> dict[str, Any]:
    """Everything that determines the draws of a cell whose references have these digests."""
    return {
        **cell.trajectory_recipe,
        **cell.draw_recipe,
        "references": list(references),
        "seed": cell.settings.seed,
        "n_samples": cell.settings.n_samples,
    }


def image_ids(cell: Cell, latent_digests: Sequence[str]) -> list[str]:
    """Ids of the images the latents decode to: with noise, the seed belongs to the address."""
    suffix = f"-seed{cell.settings.seed}" if cell.settings.eta else ""
    return [digest + suffix for digest in latent_digests]
