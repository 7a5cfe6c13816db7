"""What of a run is on disk, found out before anything is computed.

The stores address images and latents by their content, which is not known before there is any. Here an image
is known by the domain's key, a latent by the image it comes from, and a draw by its recipe; where something
is on disk, its content is looked up there.
"""

import functools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.runs.run import Run
from ood_diffusion.source import Recipe
from ood_diffusion.storage.record import read_json
from ood_diffusion.storage.store import TensorStore

Digests = dict[str, str | None]
"""Identity -> content digest of what is on disk, None for what is not."""


class Known:
    """The items of a run by identities that are known beforehand; nothing is rendered or written.

    Args:
        run: the assembled run, at a known level.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def batch(self) -> int:
        """Images per network call; 1 where that is still to be measured."""
        size = self.run.settings.batch_size
        return 1 if isinstance(size, str) else size

    @cached_property
    def references(self) -> Digests:
        """The references by their keys; pictures known to be equal count once, under the first key."""
        keys = [self.run.domain.address("references", i) for i in range(self.run.settings.n_references)]
        first: dict[str, str] = {}
        for key, digest in digests_of(self.run.pictures, keys).items():
            first.setdefault(digest or key, key)
        return {key: None if digest == key else digest for digest, key in first.items()}

    @cached_property
    def latents(self) -> Digests:
        """The latents of the references, by the references' keys."""
        there = digests_of(self.run.bank, [digest for digest in self.references.values() if digest])
        return {key: there[digest] if digest else None for key, digest in self.references.items()}

    @property
    def bank(self) -> dict[str, dict[str, bool]]:
        """Folder of the bank -> key of each reference -> whether its latent is on disk."""
        return {str(self.run.bank.folder): {key: digest is not None for key, digest in self.latents.items()}}

    @cached_property
    def samples(self) -> dict[str, bool]:
        """The samples by recipe and number, and whether their images are on disk."""
        run, references = self.run, self.references
        recipe = run.draws_recipe(list(references))
        name, n = identity(recipe, run.sampler.uses_prior), run.settings.n_samples
        drawn: Digests = {f"{name}/{i}": None for i in range(n)}
        if None not in references.values():
            digests = [digest for digest in references.values() if digest]
            wanted = identity(recipe | {"references": digests}, run.sampler.uses_prior)
            for path in (run.workspace.stores.root / "draws").glob("*/recipe.json"):
                if identity(read_recipe(path), run.sampler.uses_prior) == wanted:
                    store = run.workspace.stores.open("draws", read_recipe(path), torch.float32)
                    there = digests_of(store, [f"{i:06d}" for i in range(n)])
                    drawn |= {f"{name}/{int(i)}": digest for i, digest in there.items() if digest}
        images = run.decoded(run.settings.eta)
        return on_disk(images, {i: run.decoded_ids([d])[0] if d else None for i, d in drawn.items()})


def identity(recipe: Mapping[str, Any], uses_prior: bool) -> str:
    """What draw i is a draw of, whatever their number, the limit to proposals, or a prior not used."""
    kept = {
        key: part for key, part in recipe.items() if key != "n_samples" and (uses_prior or key != "prior")
    }
    selection = {key: value for key, value in recipe.get("selection", {}).items() if key != "max_proposals"}
    return fingerprint({**kept, "selection": selection})


@functools.cache
def read_recipe(path: Path) -> Recipe:
    """A store's recipe, empty if it is damaged; the runs of a sweep read the same ones."""
    return read_json(path) or {}


def digests_of(store: TensorStore, ids: list[str]) -> Digests:
    """The content digests of what is on disk, None for what is not."""
    absent = set(store.missing(ids))
    present = [i for i in ids if i not in absent]
    return {**dict.fromkeys(ids), **dict(zip(present, store.digests(present), strict=True))}


def on_disk(store: TensorStore, ids: Mapping[str, str | None]) -> dict[str, bool]:
    """Identity -> whether the store has what lies under its id there, if it has one."""
    absent = set(store.missing([i for i in ids.values() if i]))
    return {name: bool(i) and i not in absent for name, i in ids.items()}
