"""Many small shards become a large one, in a later run: every shard costs an open, slow on network file
systems.

The merged shard is written before its parts are deleted, so that whoever dies loses nothing; a process that
knew a part finds its rows in the merged shard. It says what it was made of, so that `store_mode=fresh`
still knows what is old. Two processes that merge at once, where locks do not work, leave rows twice, which
harms nobody.
"""

import logging
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.storage.shard import (
    Damage,
    Header,
    Part,
    Version,
    name_of,
    read_header,
    read_rows,
    write_shard,
)
from ood_diffusion.storage.shelf import Shelf, on_disk

log = logging.getLogger(__name__)

SMALL = 2**20
"""Bytes: smaller shards are merged."""
MANY = 128
"""So many of them."""
FULL = 2**26
"""Bytes of a merged shard at most; more small shards are for the next run."""


def merge_small(shelf: Shelf) -> None:
    """Merge small shards of a store, the oldest first, if there are many and no other process does so."""
    if sum(version.size < SMALL for version, _ in shelf.known.values()) < MANY:
        return
    lock = FileLock(shelf.folder / "lock-merge")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError):  # held, or no locks
        return
    try:
        merge(shelf.folder)
        shelf.refresh()
    except OSError as error:  # a full disk
        log.info("small shards in %s are not merged: %s", shelf.folder, error)
    finally:
        lock.release()


def merge(folder: Path) -> None:
    """Merge small shards of the store in `folder` into one, of at most `FULL` bytes."""
    shelf = Shelf(folder, writable=True)
    shelf.refresh()
    ids: list[str] = []
    data: list[Tensor] = []
    parts: list[Part] = []
    merged: dict[str, tuple[Version, Header]] = {}
    for name, version, before in chosen(shelf):
        if name not in shelf.known:  # another process has just merged it
            continue
        found = shelf.items(name)
        try:
            rows = shelf.read(name, list(found)) if found else {}
        except Damage as damage:
            shelf.set_aside(name, damage)
            continue
        merged[name] = version, before
        ids += rows
        data += rows.values()
        parts += parts_of(name, version, before, found.values())
    if len(merged) < 2:
        return
    (_, first), *_ = merged.values()
    new = write_shard(folder, ids, torch.cat(data), first.origin, parts) if data else ""
    there = on_disk(folder)
    for name, (version, _) in merged.items():
        if name != new and there.get(name) == version:
            (folder / "shards" / name).unlink(missing_ok=True)
    log.info("%d small shards in %s are one now", len(merged), folder)


def chosen(shelf: Shelf) -> list[tuple[str, Version, Header]]:
    """The small shards to merge, within `FULL`, the oldest first: the most that have the same origin."""
    groups: dict[str, list[tuple[str, Version, Header]]] = {}
    sizes = Counter[str]()
    for name, (version, _) in sorted(shelf.known.items(), key=lambda each: each[1][0]):
        if version.size >= SMALL or name not in shelf.known:
            continue
        try:
            header = read_header(shelf.folder, name)
        except Damage as damage:
            shelf.set_aside(name, damage)
            continue
        sizes[header.origin] += version.size
        if sizes[header.origin] > FULL:
            break
        groups.setdefault(header.origin, []).append((name, version, header))
    return max(groups.values(), key=len, default=[])


def take_out(shelf: Shelf, name: str, items: Collection[str]) -> None:
    """Delete items of a shard of this store: what else it holds is written anew first, unless the disk is
    full or it is damaged.
    """
    folder = shelf.folder
    with suppress(Damage, OSError):
        header = read_header(folder, name)
        rest = [row for row, item in enumerate(header.ids) if item not in items]
        data = dict(zip(rest, read_rows(folder / "shards" / name, rest), strict=True)) if rest else {}
        data = {row: its for row, its in data.items() if tensor_digest(its[0]) == header.digest(row)}
        ids = [header.ids[row] for row in data]
        if data and not (folder / "shards" / name_of(ids)).exists():
            parts = parts_of(name, shelf.known[name][0], header, data)
            write_shard(folder, ids, torch.cat([*data.values()]), header.origin, parts)
    (folder / "shards" / name).unlink(missing_ok=True)


def parts_of(name: str, version: Version, header: Header, rows: Collection[int]) -> list[Part]:
    """What these rows of a shard were made of, for the header of one that they go to."""
    found: list[Part] = []
    first = 0
    for part, its, length in header.parts or [(name, version, len(header.ids))]:
        found.append((part, its, sum(first <= row < first + length for row in rows)))
        first += length
    return found
