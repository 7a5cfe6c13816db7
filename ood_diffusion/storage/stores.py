"""All stores of a run: one folder, one mode, one handle per store."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ood_diffusion.checks import require, require_choice
from ood_diffusion.storage.holding import RECIPE
from ood_diffusion.storage.mode import MODES
from ood_diffusion.storage.store import TensorStore


class Stores:
    """Opens stores below one folder.

    Args:
        root: the folder; created when first written.
        mode: a key of `MODES`.

    Raises:
        UserError: for another mode, or if the folder cannot be one.
    """

    def __init__(self, root: Path, mode: str = "reuse") -> None:
        require_choice("store_mode", mode, MODES)
        nearest = next(path for path in (root, *root.absolute().parents) if os.path.lexists(path))
        require(
            nearest.is_dir(),
            f"store={root} must be a folder, or the place for one",
            f"{nearest}, {'a link to nothing' if not nearest.exists() else 'which is a file'}",
            "Change store.",
        )
        self.root, self.mode = root, mode
        self._open: dict[Path, TensorStore] = {}
        self._made: set[Path] = set()

    def check_writable(self, path: Path) -> None:
        """Raise `UserError` if the mode forbids to make `path`, which `withdraw` is to delete then."""
        require(
            self.mode != "readonly",
            "store_mode=readonly needs everything in the store",
            f"no {path}",
            "Try store_mode=reuse.",
        )
        self._made.add(path)

    def withdraw(self) -> None:
        """Delete everything that was made since these stores were opened, on all ranks: it is void."""
        for store in self._open.values():
            store.withdraw()
        for path in self._made:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def used(self) -> list[str]:
        """Kind and fingerprint of the stores that were opened and are on disk."""
        return sorted(f.relative_to(self.root).as_posix() for f in self._open if (f / RECIPE).exists())

    def close(self) -> None:
        """Let others remove the stores: this run is over."""
        for store in self._open.values():
            store.close()

    def open(self, kind: str, recipe: Mapping[str, Any], dtype: torch.dtype) -> TensorStore:
        """The handle of this kind and recipe, always the same one: what it has verified stays verified."""
        folder = TensorStore.place(self.root, kind, recipe)
        if folder not in self._open:
            self._open[folder] = TensorStore(self.root, kind, recipe, dtype, self.mode)
        return self._open[folder]
