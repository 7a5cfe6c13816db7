"""What lies in the folder of all stores: how much, how old, and whether it is what was written."""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.storage.holding import RECIPE, held_alone
from ood_diffusion.storage.record import read_json
from ood_diffusion.storage.shard import Damage, Deleted, read_header, read_rows
from ood_diffusion.storage.shelf import Shelf, on_disk

BLOCK = 64
"""Rows of a shard that are verified at a time."""
GOING = ".going-"
"""Beginning of the name of a store that is being deleted: it is none any more."""


@dataclass(frozen=True)
class Held:
    """A store, or something else that lies among them.

    Args:
        address: its folder below that of all stores: kind and fingerprint.
        recipe: what determines its items; empty of what is no store.
        items: how many it holds; None of what is no store.
        files: how many files that takes.
        size: of them, in bytes.
        newest: when the last one was written, in seconds since 1970.
    """

    address: str
    recipe: Mapping[str, Any]
    items: int | None
    files: int
    size: int
    newest: float

    @property
    def kind(self) -> str:
        """What it is for."""
        return self.address.partition("/")[0]

    @property
    def weights(self) -> str:
        """Digest of the weights of the model that made it; empty if none did."""
        model = self.recipe.get("model")
        return str(model.get("weights", "")) if isinstance(model, dict) else ""


def inventory(root: Path) -> list[Held]:
    """Everything two folders below `root`, by address; nothing is changed."""
    return [held(root, path) for path in sorted(root.glob("*/*"))]


def held(root: Path, path: Path) -> Held:
    """One entry of the inventory."""
    found = read_json(path / RECIPE) if path.is_dir() and not path.name.startswith(GOING) else None
    recipe: Mapping[str, Any] = found if isinstance(found, dict) else {}
    items = None
    if isinstance(found, dict):
        shelf = Shelf(path, writable=False)
        shelf.refresh()
        items = len(shelf)
    files = list(sizes(path))
    newest = max((written for _, written in files), default=0.0)
    size = sum(size for size, _ in files)
    return Held(path.relative_to(root).as_posix(), recipe, items, len(files), size, newest)


def sizes(path: Path) -> Iterator[tuple[int, float]]:
    """Size and time of a file, or of all below a folder."""
    inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    for each in inside if path.is_dir() else [path]:
        try:
            found = each.lstat()
        except FileNotFoundError:  # a temporary file of a run
            continue
        yield found.st_size, found.st_mtime


def damaged(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and fault of every shard of a store that is not what was written."""
    for name in on_disk(folder):
        try:
            header = read_header(folder, name)
            for start in range(0, len(header.ids), BLOCK):
                block = range(start, min(start + BLOCK, len(header.ids)))
                for row, data in zip(block, read_rows(folder / "shards" / name, block), strict=True):
                    if tensor_digest(data[0]) != header.digest(row):
                        raise Damage(f"the content of {header.ids[row]} is not what was written")
        except Deleted:  # a run has merged it meanwhile
            continue
        except Damage as damage:
            yield name, str(damage)


def remove(folder: Path) -> bool:
    """Delete a store, unless a run uses it or it is a link. Returns whether it is gone.

    It is renamed under the lock and deleted after it: NFS keeps the name of a file that is open, here the
    lock's, and with it the folder.
    """
    going = folder.with_name(f"{GOING}{uuid.uuid4().hex}")
    try:
        with held_alone(folder) as alone:
            if alone := alone and not folder.is_symlink():
                os.replace(folder, going)
    except FileNotFoundError:  # another process was faster
        return True
    shutil.rmtree(going, ignore_errors=True)
    return alone


def remove_rest(root: Path) -> None:
    """Delete what killed calls of `remove` left of stores below `root`."""
    for path in root.glob(f"*/{GOING}*"):
        shutil.rmtree(path, ignore_errors=True)
