"""A content-addressed folder of equally shaped tensors, each with an id.

```
<root>/<kind>/<fingerprint of the recipe>/
    recipe.json                    everything that determines the tensors, for people
    shards/<hash of ids>.safetensors   one tensor `data` [b, …]; ids and content digests in the header
```

Shards are written whole or not at all and are never changed, so readers need no lock, a killed
writer loses at most the batch in its hands, and writers on several ranks or machines cannot harm
each other. `exclusive` is there to save work, not to keep files whole.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint, tensor_digest
from ood_diffusion.storage.atomic import atomic_write

log = logging.getLogger(__name__)

BLOCK = 64
"""Tensors that `TensorStore.blocks` reads at a time."""


class _Place(NamedTuple):
    shard: Path
    row: int
    digest: str


class TensorStore:
    """Tensors of one kind and one recipe, addressed by id.

    Args:
        root: the folder that holds all stores; created when first written.
        kind: the store's purpose; the first folder below the root.
        recipe: everything that determines the tensors beside their ids, JSON-serialisable.
        dtype: what `write` accepts and `read` returns.
    """

    def __init__(self, root: Path, kind: str, recipe: Mapping[str, Any], dtype: torch.dtype) -> None:
        self.recipe = dict(recipe)
        self.dtype = dtype
        self.folder = root / kind / fingerprint(self.recipe)
        self._places: dict[str, _Place] = {}
        self._read_shards: set[str] = set()

    def missing(self, ids: Sequence[str]) -> list[str]:
        """The ids not on disk yet, in order and without repeats; looks at the disk afresh."""
        self._refresh()
        return [i for i in dict.fromkeys(ids) if i not in self._places]

    def write(self, ids: Sequence[str], data: Tensor) -> None:
        """Store `data` ``[b, …]`` under `ids` (length b) as one shard; ids already there are kept.

        Raises:
            UserError: if the number of ids or the dtype does not fit, or a value is not finite.
        """
        if len(ids) != len(data) or len(set(ids)) != len(ids) or data.dtype != self.dtype:
            raise UserError(
                f"a shard needs one distinct id per tensor and dtype {self.dtype}, but got "
                f"{len(set(ids))} distinct ids for {tuple(data.shape)} of {data.dtype}."
            )
        if data.is_floating_point() and not bool(torch.isfinite(data).all()):
            bad = [i for i, row in zip(ids, data, strict=True) if not bool(torch.isfinite(row).all())]
            raise UserError(
                f"expected finite values in {self.folder.parent.name}, but got NaN or infinity for "
                f"{', '.join(bad[:3])}. The network diverges there: use more steps or a lower level."
            )
        self._write_recipe()
        data = data.detach().cpu().contiguous()
        header = {"ids": json.dumps(list(ids)), "digests": json.dumps([tensor_digest(row) for row in data])}
        name = f"{fingerprint(list(ids))}.safetensors"
        atomic_write(self.folder / "shards" / name, save({"data": data}, metadata=header))

    def read(self, ids: Sequence[str]) -> Tensor:
        """The tensors of `ids`, in that order, ``[len(ids), …]``; only the rows asked for are read.

        Raises:
            UserError: if an id is not in the store.
        """
        rows: dict[str, Tensor] = {}
        for shard, wanted in self._by_shard(ids).items():
            with safe_open(shard, framework="pt") as file:
                data = file.get_slice("data")
                rows |= {i: data[self._places[i].row : self._places[i].row + 1] for i in wanted}
        return torch.cat([rows[i] for i in ids])

    def blocks(self, ids: Sequence[str]) -> Iterator[Tensor]:
        """The tensors of `ids`, in that order, in blocks of at most `BLOCK`: for sums over more than fit."""
        for start in range(0, len(ids), BLOCK):
            yield self.read(ids[start : start + BLOCK])

    def digests(self, ids: Sequence[str]) -> list[str]:
        """Content digests (`tensor_digest`) of the tensors of `ids`, read from shard headers."""
        self._by_shard(ids)
        return [self._places[i].digest for i in ids]

    @contextmanager
    def exclusive(self, first: str = "") -> Iterator[None]:
        """Hold a lock of the store, so that processes that want the same tensors make them once.

        `first` is the first id of those wanted, whether it is there or not: who wants more or fewer of a
        sequence waits, who wants another sequence does not. Empty: everyone without one waits.

        An operating-system lock: it is released when its holder dies, however it dies. On a network
        file system it works where `flock` does; where it does not, work may be done twice but is
        never lost, since shards do not depend on the lock.
        """
        self._write_recipe()
        lock = FileLock(self.folder / "-".join(["lock", *[fingerprint(first)] * bool(first)]))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("another process is filling %s: waiting for it", self.folder)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _write_recipe(self) -> None:
        path = self.folder / "recipe.json"
        if not path.exists():
            atomic_write(path, (json.dumps(self.recipe, indent=1, sort_keys=True) + "\n").encode())

    def _by_shard(self, ids: Sequence[str]) -> dict[Path, list[str]]:
        if any(i not in self._places for i in ids) and (absent := self.missing(ids)):
            raise UserError(
                f"expected {len(ids)} entries in {self.folder}, but {len(absent)} are not there "
                f"(first: {absent[0]}). Run the stage that makes them first."
            )
        grouped: dict[Path, list[str]] = {}
        for i in dict.fromkeys(ids):
            grouped.setdefault(self._places[i].shard, []).append(i)
        return grouped

    def _refresh(self) -> None:
        for shard in sorted((self.folder / "shards").glob("[!.]*.safetensors")):
            if shard.name in self._read_shards:
                continue
            with safe_open(shard, framework="pt") as file:
                header = file.metadata()
            for row, (i, digest) in enumerate(
                zip(json.loads(header["ids"]), json.loads(header["digests"]), strict=True)
            ):
                self._places.setdefault(i, _Place(shard, row, digest))
            self._read_shards.add(shard.name)
