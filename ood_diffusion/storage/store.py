"""A content-addressed folder of equally shaped tensors, each with an id.

```
<root>/<kind>/<fingerprint of the recipe>/
    recipe.json                    everything that determines the tensors, for people
    shards/<hash of ids>.safetensors   one tensor `data` [b, …]; in the header ids and content digests, what
                                       made it (`origin`) and a checksum of all that and of the address
    shards/*.damaged               shards that were found damaged
    index                          what the headers of the shards say; a cache
```

Shards are written whole or not at all and are never changed, so readers need no lock, a killed
writer loses at most the batch in its hands, and writers on several ranks or machines cannot harm
each other. `exclusive` is there to save work, not to keep files whole.

Disks, copies and people damage files all the same: `shelf` says what is verified when. A damaged shard is set
aside and its items are missing then, like those of one that was deleted.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.storage.atomic import atomic_write, remove_leftovers
from ood_diffusion.storage.holding import RECIPE, acquire, hold
from ood_diffusion.storage.merge import merge_small, take_out
from ood_diffusion.storage.shard import Damage, Deleted, origin, write_shard
from ood_diffusion.storage.shelf import Shelf, on_disk

log = logging.getLogger(__name__)

BLOCK = 64
"""Tensors that `TensorStore.blocks` reads at a time."""
FORMAT = 2
"""Of shards; part of the address, so that shards of another format are not found."""
ROUNDS = 3
"""How often items are made that are gone again when they should be there."""


class Gone(UserError):
    """Items that were in a store are damaged or deleted: who made them can make them again."""


class TensorStore:
    """Tensors of one kind and one recipe, addressed by id.

    Args:
        root: the folder that holds all stores; created when first written.
        kind: the store's purpose; the first folder below the root.
        recipe: everything that determines the tensors beside their ids, JSON-serialisable.
        dtype: what `write` accepts and `read` returns.
        mode: a key of `mode.MODES`.
    """

    def __init__(
        self, root: Path, kind: str, recipe: Mapping[str, Any], dtype: torch.dtype, mode: str = "reuse"
    ) -> None:
        self.recipe = dict(recipe)
        self.dtype = dtype
        self.mode = mode
        self.folder = self.place(root, kind, recipe)
        if mode != "readonly":
            for folder in (self.folder, self.folder / "shards"):
                remove_leftovers(folder)
        self._made: set[str] = set()
        self._shelf = Shelf(self.folder, mode != "readonly", on_disk(self.folder) if mode == "fresh" else {})
        self._held: BinaryIO | None = None
        self._looked = False

    def __getstate__(self) -> dict[str, Any]:
        """For another rank, which holds the store by a lock of its own."""
        return {**self.__dict__, "_held": None}

    @staticmethod
    def place(root: Path, kind: str, recipe: Mapping[str, Any]) -> Path:
        """The folder of a store."""
        return root / kind / fingerprint({"format": FORMAT, **recipe})

    def missing(self, ids: Sequence[str]) -> list[str]:
        """The ids not on disk, in order and without repeats; looks at the disk afresh."""
        self._held = self._held or hold(self.folder)
        self._shelf.refresh()
        if not self._looked and self.mode == "reuse":
            merge_small(self._shelf)
        self._looked = True
        return self._shelf.absent(ids)

    def fill(self, ids: Sequence[str], make: Callable[[list[str]], object], first: str = "") -> int:
        """Have `make` write those of `ids` that are missing, which it is given; `first`: as for `exclusive`.

        Returns:
            How many were missing.

        Raises:
            UserError: if nothing may be written, or something deletes what has just been written.
        """
        missing = self.missing(ids)
        if not missing:
            return 0
        self.check_writable(missing)
        with self.exclusive(first):
            made = len(missing := self.missing(ids))
            self._made.update(missing)
            for _ in range(ROUNDS):
                if missing:
                    make(missing)
                    missing = self.missing(missing)
        if missing:
            raise UserError(
                f"expected {made} items just made to be in {self.folder}, but {len(missing)} are not "
                f"(first: {missing[0]}). Something deletes or damages files there."
            )
        return made

    def check_writable(self, missing: Sequence[str]) -> None:
        """Raise `UserError` if the mode forbids to write the items that are `missing`."""
        if self.mode == "readonly":
            raise UserError(
                f"store_mode=readonly needs everything in the store, but {len(missing)} items are not in "
                f"{self.folder} (first: {missing[0]}). Try store_mode=reuse."
            )

    def write(self, ids: Sequence[str], data: Tensor, device: torch.device | str = "cpu") -> None:
        """Store `data` ``[b, …]``, made on `device`, under `ids` (length b) as one shard.

        Raises:
            UserError: if nothing may be written, the number of ids or the dtype does not fit, or a value is
                not finite.
        """
        self.check_writable(ids)
        self._made.update(ids)
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
        made_by = json.dumps(origin(torch.device(device)))
        write_shard(self.folder, ids, data.detach().cpu().contiguous(), made_by)

    def close(self) -> None:
        """Let others remove the store; until it is used again."""
        if self._held:
            self._held.close()
        self._held = None

    def withdraw(self) -> None:
        """Delete what this handle was asked to fill in or write, whichever rank wrote it."""
        while True:
            shelf = Shelf(self.folder, True, self._shelf.ignoring)
            shelf.refresh()
            shards = shelf.by_shard(list(self._made.difference(shelf.absent(self._made))))
            if not shards:
                return
            for shard, void in shards.items():
                take_out(shelf, shard, void)

    def read(self, ids: Sequence[str]) -> Tensor:
        """The tensors of `ids`, in that order, ``[len(ids), …]``; only the rows asked for are read.

        Raises:
            Gone: if an item is damaged or was deleted. All others in the store have been verified then, so
                that what is damaged can be made again at once.
            UserError: if an id is not in the store.
        """
        rows: dict[str, Tensor] = {}
        for shard, wanted in self._by_shard(ids).items():
            try:
                rows |= self._shelf.read(shard, wanted)
            except Damage as damage:
                self._shelf.set_aside(shard, damage)
                if not isinstance(damage, Deleted):
                    self._shelf.verify()
                self._by_shard(ids)  # raises, unless others have made it meanwhile
                return self.read(ids)
        return torch.cat([rows[i] for i in ids])

    def blocks(self, ids: Sequence[str]) -> Iterator[Tensor]:
        """The tensors of `ids`, in that order, in blocks of at most `BLOCK`: for sums over more than fit."""
        for start in range(0, len(ids), BLOCK):
            yield self.read(ids[start : start + BLOCK])

    def digests(self, ids: Sequence[str]) -> list[str]:
        """Content digests (`tensor_digest`) of the tensors of `ids`, read from shard headers."""
        self._by_shard(ids)
        return [self._shelf.digest(i) for i in ids]

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
            acquire(lock, timeout=0)
        except Timeout:
            log.info("another process is filling %s: waiting for it", self.folder)
            acquire(lock)
        try:
            yield
        finally:
            lock.release()

    def _write_recipe(self) -> None:
        path = self.folder / RECIPE
        if not path.exists():
            self.close()
            atomic_write(path, (json.dumps(self.recipe, indent=1, sort_keys=True) + "\n").encode())
        self._held = self._held or hold(self.folder)

    def _by_shard(self, ids: Sequence[str]) -> dict[str, list[str]]:
        if self._shelf.absent(ids) and (absent := self.missing(ids)):
            if self._shelf.lost:
                self.check_writable(absent)
                raise Gone(
                    f"expected {len(ids)} entries in {self.folder}, but {len(absent)} are damaged or were "
                    f"deleted (first: {absent[0]}). Run the same command again: it makes them again."
                )
            raise UserError(
                f"expected {len(ids)} entries in {self.folder}, but {len(absent)} are not there "
                f"(first: {absent[0]}). Run the stage that makes them first."
            )
        return self._shelf.by_shard(ids)
