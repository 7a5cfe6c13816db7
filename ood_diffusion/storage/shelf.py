"""The shards of one store, as one process knows them: where every item is, and what is damaged.

Size, header and checksum of a shard are verified when it is first seen, unless the index knows this version
of it; a row when it is first read.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.storage.index import Known, outdated, read_index, write_index
from ood_diffusion.storage.shard import ENDING, Damage, Deleted, Header, Version, read_header, read_rows

log = logging.getLogger(__name__)


class Shelf:
    """What lies in the folder of a store.

    Args:
        folder: of the store.
        writable: whether damaged shards may be renamed and an index written.
        ignoring: name -> version of shards whose rows count as not there, also where they were merged.
    """

    def __init__(self, folder: Path, writable: bool, ignoring: Mapping[str, Version] | None = None) -> None:
        self.folder = folder
        self.writable = writable
        self.ignoring = dict(ignoring or {})
        self.lost = False
        """Whether anything that was there has gone."""
        self.known: Known = {}
        self._seen = dict(self.ignoring)
        self._places: dict[str, str] = {}
        """Of an item: the name of the shard that it is read from."""
        self._rows: dict[str, dict[str, int]] = {}
        """Of the shards that were read from: item -> row."""
        self._verified: set[str] = set()
        self._changes = 0
        """How many shards the index lacks, or has in vain."""

    def absent(self, items: Iterable[str]) -> list[str]:
        """Those that are not there, in order and without repeats."""
        return list(dict.fromkeys(item for item in items if item not in self._places))

    def __len__(self) -> int:
        return len(self._places)

    def digest(self, item: str) -> str:
        """The content digest of an item that is there."""
        name = self._places[item]
        return self.known[name][1].digest(self._rows_of(name)[item])

    def by_shard(self, items: Sequence[str]) -> dict[str, list[str]]:
        """Name of a shard -> those of the items, all there, that it holds."""
        grouped: dict[str, list[str]] = {}
        for item in dict.fromkeys(items):
            grouped.setdefault(self._places[item], []).append(item)
        return grouped

    def items(self, name: str) -> dict[str, int]:
        """Those items of a shard that are read from it, and not from a newer one -> their rows."""
        return {item: row for item, row in self._rows_of(name).items() if self._places.get(item) == name}

    def refresh(self) -> None:
        """Look at the disk: of an item that several shards hold, the one of the newest counts."""
        found = on_disk(self.folder)
        index = {} if self._seen or not found else read_index(self.folder)
        self._changes += len(index.keys() - found.keys())
        changed = [name for name, version in self._seen.items() if found.get(name) != version]
        gone = set[str]().union(*map(self._forget, changed))
        places: dict[str, str] = {}
        for name in [name for name in found if name not in self._seen]:  # the oldest first
            self._seen[name] = version = found[name]
            try:
                self.known[name] = version, (header := self._header(name, index))
            except Deleted:
                del self._seen[name]
                continue
            except Damage as damage:
                self.set_aside(name, damage)
                continue
            old = self._old(header)
            ids = [item for item in header.ids if item not in old] if old else header.ids
            places |= dict.fromkeys(ids, name)
        for item, place in places.items() if self._places else ():
            self._places.setdefault(item, place)
        self._places = self._places or places
        self.lost |= bool(self._find_again(gone))
        if self.writable and not self.ignoring and outdated(self._changes, len(self.known)):
            write_index(self.folder, self.known)
            self._changes = 0

    def read(self, name: str, items: Sequence[str]) -> dict[str, Tensor]:
        """These items of a shard, each ``[1, …]``; those read for the first time are verified.

        Raises:
            Damage: if they are not what was written.
        """
        found = read_rows(self.folder / "shards" / name, [self._rows_of(name)[item] for item in items])
        rows = dict(zip(items, found, strict=True))
        for item in rows.keys() - self._verified:
            if tensor_digest(rows[item][0]) != self.digest(item):
                raise Damage(f"the content of {item} is not what was written")
        self._verified |= rows.keys()
        return rows

    def verify(self) -> None:
        """Set aside all damaged shards."""
        for name, items in self.by_shard(list(self._places)).items():
            try:
                self.read(name, items)
            except Damage as damage:
                self.set_aside(name, damage)

    def set_aside(self, name: str, damage: Damage) -> None:
        """Rename a damaged shard, so that nobody finds it; where nothing may be written, pass over it.

        What was in one that was deleted may be in others: then nothing has happened.
        """
        version, shard = self._seen.get(name), self.folder / "shards" / name
        gone = self._forget(name)
        if isinstance(damage, Deleted):
            self.refresh()
        gone = self._find_again(gone)
        if isinstance(damage, Deleted):
            if gone:
                self.lost = True
                log.warning("%s was deleted: what was in it is missing", shard)
            return
        self.lost = True
        done = " and set aside"
        try:
            if not self.writable:
                raise PermissionError
            os.replace(shard, shard.with_name(f"{name}.damaged"))
        except FileNotFoundError:  # another process was faster
            return
        except OSError:
            done = ""
            if version is not None:
                self._seen[name] = version
        log.warning("%s is damaged (%s)%s: what was in it is missing", shard, damage, done)

    def _rows_of(self, name: str) -> dict[str, int]:
        if name not in self._rows:
            self._rows[name] = {item: row for row, item in enumerate(self.known[name][1].ids)}
        return self._rows[name]

    def _header(self, name: str, index: Known) -> Header:
        version, header = index.get(name, (None, None))
        if header is not None and version == self._seen[name]:
            return header
        self._changes += 1
        return read_header(self.folder, name)

    def _old(self, header: Header) -> set[str]:
        """The rows of a merged shard that were in shards to be ignored."""
        found: set[str] = set()
        row = 0
        for name, version, rows in header.parts:
            if self.ignoring.get(name) == version:
                found.update(header.ids[row : row + rows])
            row += rows
        return found

    def _find_again(self, items: set[str]) -> set[str]:
        """Those items that no other shard holds either; the others are read from there now."""
        items = items - self._places.keys()
        for name, (_, header) in sorted(self.known.items(), key=lambda each: each[1][0]) if items else ():
            self._places |= dict.fromkeys(items.intersection(header.ids) - self._old(header), name)
        return items - self._places.keys()

    def _forget(self, name: str) -> set[str]:
        """Returns what was in the shard."""
        self._seen.pop(name, None)
        gone = set(self.items(name)) if name in self.known else set()
        self._changes += self.known.pop(name, None) is not None
        self._rows.pop(name, None)
        for item in gone:
            del self._places[item]
        self._verified -= gone
        return gone


def on_disk(folder: Path) -> dict[str, Version]:
    """Name -> version of what looks like a shard in the store in `folder`, the oldest first."""
    found: dict[str, Version] = {}
    with suppress(FileNotFoundError), os.scandir(folder / "shards") as entries:
        for entry in entries:
            if entry.name.endswith(ENDING) and not entry.name.startswith("."):
                with suppress(FileNotFoundError):
                    found[entry.name] = Version.of(entry.stat(follow_symlinks=False))
    return dict(sorted(found.items(), key=lambda each: (each[1], each[0])))
