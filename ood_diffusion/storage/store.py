"""A content-addressed folder of equally shaped tensors, each with an id.

```
<root>/<kind>/<fingerprint of the recipe>/
    recipe.json                    everything that determines the tensors, for people
    shards/<hash of ids>.safetensors   one tensor `data` [b, …]; in the header ids and content digests, what
                                       made it (`origin`) and a checksum of all that and of the address
    shards/*.damaged               shards that were found damaged
```

Shards are written whole or not at all and are never changed, so readers need no lock, a killed
writer loses at most the batch in its hands, and writers on several ranks or machines cannot harm
each other. `exclusive` is there to save work, not to keep files whole.

Disks, copies and people damage files all the same. Size, header and checksum are verified when a shard is
first seen, a row when it is first read. A damaged shard is set aside and its items are missing then, like
those of one that was deleted.
"""

import functools
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint, tensor_digest
from ood_diffusion.storage.atomic import atomic_write, remove_leftovers

log = logging.getLogger(__name__)

BLOCK = 64
"""Tensors that `TensorStore.blocks` reads at a time."""
FORMAT = 2
"""Of shards; part of the address, so that shards of another format are not found."""
DRIVER = Path("/proc/driver/nvidia/version")
ROUNDS = 3
"""How often items are made that are gone again when they should be there."""


class Gone(UserError):
    """Items that were in a store are damaged or deleted: who made them can make them again."""


class _Damage(Exception):
    """What is wrong with a shard."""


_Version = tuple[int, int, int]
"""When a file was last written in ns, its size, its inode."""


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
        mode: a key of `mode.MODES`.
    """

    def __init__(
        self, root: Path, kind: str, recipe: Mapping[str, Any], dtype: torch.dtype, mode: str = "reuse"
    ) -> None:
        self.recipe = dict(recipe)
        self.dtype = dtype
        self.mode = mode
        self.folder = self.place(root, kind, recipe)
        self._places: dict[str, _Place] = {}
        self._verified: set[str] = set()
        self._lost = False
        if mode != "readonly":
            for folder in (self.folder, self.folder / "shards"):
                remove_leftovers(folder)
        self._made: set[str] = set()
        self._ignored: dict[str, _Version] = self._on_disk() if mode == "fresh" else {}
        self._seen = dict(self._ignored)

    @staticmethod
    def place(root: Path, kind: str, recipe: Mapping[str, Any]) -> Path:
        """The folder of a store."""
        return root / kind / fingerprint({"format": FORMAT, **recipe})

    def missing(self, ids: Sequence[str]) -> list[str]:
        """The ids not on disk, in order and without repeats; looks at the disk afresh."""
        self._refresh()
        return [i for i in dict.fromkeys(ids) if i not in self._places]

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
        data = data.detach().cpu().contiguous()
        header = {
            "ids": json.dumps(list(ids)),
            "digests": json.dumps([tensor_digest(row) for row in data]),
            "origin": json.dumps(origin(torch.device(device))),
        }
        header["checksum"] = self._checksum(header)
        name = f"{fingerprint(list(ids))}.safetensors"
        atomic_write(self.folder / "shards" / name, save({"data": data}, metadata=header))

    def withdraw(self) -> None:
        """Delete what this handle was asked to fill in or write, whichever rank wrote it."""
        while True:
            self._places.clear()
            self._seen = dict(self._ignored)
            self._refresh()
            shards = {self._places[i].shard for i in self._made & self._places.keys()}
            if not shards:
                return
            for shard in shards:
                shard.unlink(missing_ok=True)

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
                rows |= self._rows(shard, wanted)
            except _Damage as damage:
                self._set_aside(shard, damage)
                self._verify()
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

    def _checksum(self, header: Mapping[str, str]) -> str:
        return fingerprint([self.folder.parent.name, self.folder.name, *sorted(header.items())])

    def _by_shard(self, ids: Sequence[str]) -> dict[Path, list[str]]:
        if any(i not in self._places for i in ids) and (absent := self.missing(ids)):
            if self._lost:
                self.check_writable(absent)
                raise Gone(
                    f"expected {len(ids)} entries in {self.folder}, but {len(absent)} are damaged or were "
                    f"deleted (first: {absent[0]}). Run the same command again: it makes them again."
                )
            raise UserError(
                f"expected {len(ids)} entries in {self.folder}, but {len(absent)} are not there "
                f"(first: {absent[0]}). Run the stage that makes them first."
            )
        grouped: dict[Path, list[str]] = {}
        for i in dict.fromkeys(ids):
            grouped.setdefault(self._places[i].shard, []).append(i)
        return grouped

    def _refresh(self) -> None:
        found = self._on_disk()
        for name in self._seen.keys() - found.keys():
            self._forget(self.folder / "shards" / name)
        for name in [name for name, version in found.items() if self._seen.get(name) != version]:
            shard = self.folder / "shards" / name
            if name in self._seen:
                self._forget(shard)
            self._seen[name] = found[name]
            try:
                with _opened(shard) as file:
                    header = file.metadata() or {}
                if header.pop("checksum", None) != self._checksum(header):
                    raise _Damage("its header is not what was written here")
            except _Damage as damage:
                self._set_aside(shard, damage)
                continue
            entries = zip(json.loads(header["ids"]), json.loads(header["digests"]), strict=True)
            for row, (i, digest) in enumerate(entries):
                self._places.setdefault(i, _Place(shard, row, digest))

    def _on_disk(self) -> dict[str, _Version]:
        """The names of what looks like a shard, the newest first, and of which version each is."""
        found: dict[str, _Version] = {}
        with suppress(FileNotFoundError), os.scandir(self.folder / "shards") as entries:
            for entry in entries:
                if entry.name.endswith(".safetensors") and not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        about = entry.stat(follow_symlinks=False)
                        found[entry.name] = (about.st_mtime_ns, about.st_size, about.st_ino)
        return dict(sorted(found.items(), key=lambda each: (each[1], each[0]), reverse=True))

    def _rows(self, shard: Path, ids: Sequence[str]) -> dict[str, Tensor]:
        """These rows of a shard; those read for the first time are verified."""
        places = {i: self._places[i] for i in ids}
        with _opened(shard) as file:
            data = file.get_slice("data")
            if data.get_shape()[0] <= max(place.row for place in places.values()):
                raise _Damage("it has too few rows")
            rows: dict[str, Tensor] = {i: data[place.row : place.row + 1] for i, place in places.items()}
        for i in rows.keys() - self._verified:
            if tensor_digest(rows[i][0]) != places[i].digest:
                raise _Damage(f"the content of {i} is not what was written")
        self._verified |= rows.keys()
        return rows

    def _verify(self) -> None:
        """Set aside all damaged shards."""
        grouped: dict[Path, list[str]] = {}
        for i, place in self._places.items():
            grouped.setdefault(place.shard, []).append(i)
        for shard, ids in grouped.items():
            try:
                self._rows(shard, ids)
            except _Damage as damage:
                self._set_aside(shard, damage)

    def _set_aside(self, shard: Path, damage: _Damage) -> None:
        """Rename a damaged shard, so that nobody finds it; where nothing may be written, pass over it."""
        self._lost = True
        version = self._seen.get(shard.name)
        self._forget(shard)
        if not os.path.lexists(shard):
            log.warning("%s was deleted: what was in it is missing", shard)
            return
        try:
            if self.mode == "readonly":
                raise PermissionError
            os.replace(shard, shard.with_name(f"{shard.name}.damaged"))
        except FileNotFoundError:  # another process was faster
            return
        except OSError:
            if version is not None:
                self._seen[shard.name] = version
        log.warning("%s is damaged (%s) and set aside: what was in it is missing", shard, damage)

    def _forget(self, shard: Path) -> None:
        self._seen.pop(shard.name, None)
        gone = {i for i, place in self._places.items() if place.shard == shard}
        for i in gone:
            del self._places[i]
        self._verified -= gone
        self._lost |= bool(gone)


@contextmanager
def _opened(shard: Path) -> Iterator[Any]:
    """A shard's file; raises `_Damage` if it is none."""
    if not shard.is_file():  # a link to nothing, a folder, a pipe: opening that one would wait forever
        raise _Damage("it is no file")
    try:
        with safe_open(shard, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise _Damage("it was deleted") from None
    except SafetensorError as error:
        raise _Damage(str(error)) from None
    except PermissionError:
        raise UserError(f"{shard} cannot be read. Change its permissions or use another store.") from None


@functools.cache
def origin(device: torch.device) -> dict[str, str]:
    """Name of the device (of a CPU: its vector instructions), versions of torch, CUDA, cuDNN and driver.

    What made a result can move last digits, but is no part of an address.
    """
    found = {"torch": str(torch.__version__)}
    if device.type != "cuda":
        cpu = f"cpu {torch.backends.cpu.get_cpu_capability()}"
        return found | {"device": cpu if device.type == "cpu" else device.type}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    found |= {"device": torch.cuda.get_device_name(device)}
    found |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
    return found | ({"driver": DRIVER.read_text().splitlines()[0]} if DRIVER.exists() else {})
