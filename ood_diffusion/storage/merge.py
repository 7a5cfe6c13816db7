"""Many small shards become a large one, in a later run: every shard costs an open, slow on network file
systems.

The merged shard is written before its parts are deleted, so that whoever dies loses nothing; a process that
knew a part finds its rows in the merged shard. It says what it was made of, so that `store_mode=fresh`
still knows what is old. Two processes that merge at once, where locks do not work, leave rows twice, which
harms nobody.
"""

import logging
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ood_diffusion.storage.shard import Damage, Version, read_header, write_shard
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
    except (Timeout, OSError):
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
    parts: list[tuple[str, Version, int]] = []
    merged: dict[str, Version] = {}
    made_by = ""
    for name, version in chosen(shelf):
        if name not in shelf.known:  # another process has just merged it
            continue
        found = shelf.items(name)
        try:
            before = read_header(folder, name)
            if before.origin != (made_by := made_by or before.origin):
                continue  # for another run
            rows = shelf.read(name, list(found)) if found else {}
        except Damage as damage:
            shelf.set_aside(name, damage)
            continue
        merged[name] = version
        ids += rows
        data += rows.values()
        row = 0
        for part, its, length in before.parts or [(name, version, len(before.ids))]:
            parts.append((part, its, sum(row <= place < row + length for place in found.values())))
            row += length
    if len(merged) < 2:
        return
    new = write_shard(folder, ids, torch.cat(data), made_by, parts) if data else ""
    there = on_disk(folder)
    for name, version in merged.items():
        if name != new and there.get(name) == version:
            (folder / "shards" / name).unlink(missing_ok=True)
    log.info("%d small shards in %s are one now", len(merged), folder)


def chosen(shelf: Shelf) -> list[tuple[str, Version]]:
    """The small shards to merge, the oldest first."""
    room, found = FULL, []
    for name, (version, _) in sorted(shelf.known.items(), key=lambda each: each[1][0]):
        if version.size < SMALL and version.size <= room:
            room -= version.size
            found.append((name, version))
    return found
