"""Bank of latents -> prior -> new latents -> new images of the unseen domain."""

from typing import Any

import torch
from torch import Tensor

from ood_diffusion.geometry.gram import distances, gram, isotropic, squared_norms
from ood_diffusion.geometry.within import within
from ood_diffusion.runs.addresses import recipe_of_draws
from ood_diffusion.runs.cell import Cell
from ood_diffusion.samplers.propose import Acceptance, propose
from ood_diffusion.stages.decode import decode
from ood_diffusion.storage.record import read_record, write_record
from ood_diffusion.storage.store import TensorStore

ACCEPTANCE = "acceptance.json"
SHOWN = 512
"""Latents used for the geometry figures: enough for their standard errors, bounded in memory."""


def sample(cell: Cell) -> None:
    """Draw what is not drawn yet, decode what is not decoded yet, and describe the latents."""
    draws, ids = draw(cell)
    decode(cell, draws, ids, "sample")
    latents = cell.bank.read(list(cell.references)[:SHOWN])
    drawn = draws.read(ids[:SHOWN])
    cell.results["sample"] = {
        **read_record(draws.folder / ACCEPTANCE),
        "nearest_reference_latent": nearest_reference(drawn, latents),
    }
    cell.results["latents"] = {
        "references": geometry(latents),
        "samples": geometry(drawn),
        "isotropic": isotropic(latents[0].numel()),
    }


def draw(cell: Cell) -> tuple[TensorStore, list[str]]:
    """The store of this cell's draws and their ids, in order; drawn on the first call only."""
    recipe = recipe_of_draws(cell, list(cell.references))
    store = cell.stores.open("draws", recipe, torch.float32)
    ids = [f"{i:06d}" for i in range(cell.settings.n_samples)]
    if not undrawn(store, ids):
        return store, ids
    store.check_writable(store.missing(ids) or ids)
    with store.exclusive():
        if not undrawn(store, ids):  # another process drew them meanwhile
            return store, ids
        bank = cell.bank.read(list(cell.references))
        cell.sampler.bind(bank, cell.prior.fit(bank))
        cell.selection.bind(bank)
        acceptance, done = Acceptance(), 0
        limit = cell.max_proposals * cell.settings.n_samples
        for latents in propose(cell.sampler, cell.selection, len(ids), cell.settings.seed, limit, acceptance):
            store.write(ids[done : done + len(latents)], latents)
            done += len(latents)
        report = {
            "proposed": acceptance.proposed,
            "accepted": acceptance.accepted,
            "acceptance": acceptance.rates(),
            "prior": cell.prior.learned(),
        }
        write_record(store.folder / ACCEPTANCE, report)
    return store, ids


def undrawn(store: TensorStore, ids: list[str]) -> list[str]:
    """What of a cell's draws is missing: ids, and the file about their acceptance, which comes last."""
    return store.missing(ids) + [ACCEPTANCE] * (not read_record(store.folder / ACCEPTANCE))


def geometry(latents: Tensor) -> dict[str, float]:
    """Mean and standard deviation of norms, origin angles, pair distances and vertex angles.

    Args:
        latents: float ``[n, C, H, W]``, n >= 3.

    Returns:
        Angles in degrees; names as in `geometry.gram.isotropic`.
    """
    summary: dict[str, float] = {}
    for name, values in within(gram(latents, latents)).items():
        summary[f"{name}_mean"] = float(values.mean())
        summary[f"{name}_sd"] = float(values.std())
    return summary


def nearest_reference(drawn: Tensor, references: Tensor) -> float:
    """Mean distance of a draw to its nearest reference over the mean distance among references.

    Near 1 for draws as far from the references as these are from each other, 0 for copies.
    """
    square = squared_norms(references)
    to_references = distances(gram(drawn, references), squared_norms(drawn), square)
    among = distances(gram(references, references), square, square)
    off_diagonal = among.sum() / (len(references) * (len(references) - 1))
    return float(to_references.min(dim=1).values.mean() / off_diagonal)


def latent_figures(cell: Cell) -> dict[str, dict[str, Any]]:
    """Norms and origin angles of references and samples, as arrays for the report."""
    draws, ids = draw(cell)
    sets = {"references": cell.bank.read(list(cell.references)[:SHOWN]), "samples": draws.read(ids[:SHOWN])}
    norms, angles = {}, {}
    for name, latents in sets.items():
        found = within(gram(latents, latents))
        norms[name], angles[name] = found["norm"].numpy(), found["origin_angle"].numpy()
    return {"norms": norms, "origin_angles": angles}
