"""What a cell would compute, without computing it.

The stores address images and latents by their content, which is not known before there is any. Here an image
is known by the domain's key, a latent by the image it comes from, and a draw by its recipe; where something
is on disk, its content is looked up there.
"""

import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from ood_diffusion.domains.base import Split
from ood_diffusion.domains.drawing import Drawing
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.report.plan.speed import PICTURES
from ood_diffusion.report.plan.work import Plan, Work
from ood_diffusion.runs.addresses import image_ids, recipe_of_draws
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.pictures import drawn_for
from ood_diffusion.runs.settings import AUTO, STAGES
from ood_diffusion.storage.record import read_json
from ood_diffusion.storage.store import TensorStore

SHOWN = 8
"""Images of the stage inspect, at most: 114 million parameters at 256 pixels take two seconds a call on two
CPU cores."""

COUNTED = ("inspect", "train", "invert", "reconstruct", "sample", "evaluate", "report")
"""The stages whose network calls a plan knows; the others decide by what they find how many they need."""

Digests = dict[str, str | None]
"""Identity -> content digest of what is on disk, None for what is not."""


def plan_cell(cell: Cell, stages: Collection[str]) -> Plan:
    """The predict loops of a cell and what of their results is on disk; nothing is rendered or written.

    Args:
        cell: the assembled cell.
        stages: those it runs.
    """
    settings, network = cell.settings, (cell.model.digest(), cell.settings.precision, cell.settings.compile)
    batch = 1 if isinstance(settings.batch_size, str) else settings.batch_size
    works, notes, outputs = [], [], str(cell.stores.root.parent)
    if settings.batch_size == "auto":
        notes.append("batch_size=auto: the calls that measure it and that fill the last batch come on top")
    if cell.domain.drawing and set(stages) != {"inspect"}:
        works.append(drawn_pictures(cell, cell.domain.drawing))
    if "inspect" in stages:
        works.append(own_images(cell))
    if "train" in stages:
        notes.append(f"train: {cell.training.max_steps:,} optimiser steps, not counted as network calls")
    uncounted = [stage for stage in STAGES if stage in stages and stage not in COUNTED]
    if uncounted:
        more = ", nor those that draw the training domain's pictures" if cell.training_domain.drawing else ""
        notes.append(f"{', '.join(uncounted)}: network calls not counted (conf/stage says how many){more}")
    if settings.level == AUTO:
        notes.append("level=auto: the stage bandwidth runs first and chooses it; calls are not counted")
    if settings.level == AUTO or not {"invert", "reconstruct", "sample", "evaluate"} & set(stages):
        return Plan(works, network=network, outputs=outputs, notes=notes)

    references, schedule, levels = reference_digests(cell), cell.model.schedule, cell.levels
    latents = latent_digests(cell, references)
    bank = {key: digest is not None for key, digest in latents.items()}
    needs = {str(cell.bank.folder): bank}
    if "invert" in stages:
        up = calls_along(cell.solver, schedule, levels)
        works.append(Work("invert", str(cell.bank.folder), bank, up, batch))
        if up.least < up.most:
            calls = f"{up.least} to {up.most} calls to invert one"
            notes.append(f"solver={cell.names['solver']} stops when an image has converged: {calls}")
    if "reconstruct" in stages:
        decoded, down = cell.images(eta=0.0), calls_along(cell.solver, schedule, levels[::-1])
        works.append(Work("reconstruct", str(decoded.folder), on_disk(decoded, latents), down, batch))
    samples, folder = sample_items(cell, references), str(cell.images(settings.eta).folder)
    if "sample" in stages:
        down = calls_along(cell.solver, schedule, levels[::-1], settings.eta)
        works.append(Work("sample", folder, samples, down, batch))
        if cell.selection.tests:
            fewer = "fewer calls to sample, where it keeps latents that are decoded already"
            notes.append(f"selection={cell.names['selection']}: {fewer}")
    if "evaluate" in stages:
        needs[folder] = samples
    return Plan(works, str(cell.bank.folder), needs, network, outputs, notes)


def drawn_pictures(cell: Cell, drawing: Drawing) -> Work:
    """References and held-out images of a domain that a network draws, by their keys."""
    counts: dict[Split, int] = {
        "references": cell.settings.n_references,
        "held_out": cell.settings.n_held_out,
    }
    items: dict[str, bool] = {}
    for split, n in counts.items():
        items |= dict.fromkeys((cell.domain.address(split, i) for i in range(n)), True)
        items |= dict.fromkeys(drawn_for(cell.domain, cell.pictures, split, n).values(), False)
    calls = calls_along(drawing.solver, drawing.model.schedule, drawing.levels[::-1])
    return Work(PICTURES, str(cell.pictures.folder), items, calls, 1)


def own_images(cell: Cell) -> Work:
    """The stage inspect: images from the top of the schedule, which no store keeps."""
    schedule, n = cell.model.schedule, min(cell.settings.n_samples, SHOWN)
    levels = cell.grid(schedule, float(schedule.timesteps), cell.settings.steps)
    calls = calls_along(cell.solver, schedule, levels[::-1], cell.settings.eta)
    return Work("inspect", str(cell.run_folder), {str(i): False for i in range(n)}, calls, n)


def reference_digests(cell: Cell) -> Digests:
    """The references by their keys; pictures that are known to be equal count once, under the first key."""
    keys = [cell.domain.address("references", i) for i in range(cell.settings.n_references)]
    first: dict[str, str] = {}
    for key, digest in known(cell.pictures, keys).items():
        first.setdefault(digest or key, key)
    return {key: None if digest == key else digest for digest, key in first.items()}


def latent_digests(cell: Cell, references: Digests) -> Digests:
    """The latents of references, by the references' keys."""
    there = known(cell.bank, [digest for digest in references.values() if digest])
    return {key: there[digest] if digest else None for key, digest in references.items()}


def sample_items(cell: Cell, references: Digests) -> dict[str, bool]:
    """The cell's samples by recipe and number, and whether their images are on disk."""
    recipe = recipe_of_draws(cell, list(references))
    name, n = identity(recipe, cell.sampler.uses_prior), cell.settings.n_samples
    drawn: Digests = {f"{name}/{i}": None for i in range(n)}
    if None not in references.values():
        digests = [digest for digest in references.values() if digest]
        wanted = identity(recipe | {"references": digests}, cell.sampler.uses_prior)
        for path in (cell.stores.root / "draws").glob("*/recipe.json"):
            if identity(read_recipe(path), cell.sampler.uses_prior) == wanted:
                store = cell.stores.open("draws", read_recipe(path), torch.float32)
                there = known(store, [f"{i:06d}" for i in range(n)])
                drawn |= {f"{name}/{int(i)}": digest for i, digest in there.items() if digest}
    images = cell.images(cell.settings.eta)
    return on_disk(images, {i: image_ids(cell, [d])[0] if d else None for i, d in drawn.items()})


def identity(recipe: Mapping[str, Any], uses_prior: bool) -> str:
    """What draw i is a draw of, whatever their number, the limit to proposals, or a prior not used."""
    kept = {
        key: part for key, part in recipe.items() if key != "n_samples" and (uses_prior or key != "prior")
    }
    selection = {key: value for key, value in recipe.get("selection", {}).items() if key != "max_proposals"}
    return fingerprint({**kept, "selection": selection})


@functools.cache
def read_recipe(path: Path) -> dict[str, Any]:
    """A store's recipe, empty if it is damaged; the cells of a sweep read the same ones."""
    return read_json(path) or {}


def known(store: TensorStore, ids: list[str]) -> Digests:
    """The content digests of what is on disk, None for what is not."""
    absent = set(store.missing(ids))
    present = [i for i in ids if i not in absent]
    return {**dict.fromkeys(ids), **dict(zip(present, store.digests(present), strict=True))}


def on_disk(store: TensorStore, ids: Mapping[str, str | None]) -> dict[str, bool]:
    """Identity -> whether the store has what lies under its id there, if it has one."""
    absent = set(store.missing([i for i in ids.values() if i]))
    return {name: bool(i) and i not in absent for name, i in ids.items()}
