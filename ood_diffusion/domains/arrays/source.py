"""Maps in .npy, .npz, FITS and HDF5 files and zarr stores, one by one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require
from ood_diffusion.domains.arrays.axes import channels_first, check_axes, count, position
from ood_diffusion.domains.arrays.fits import fits
from ood_diffusion.domains.arrays.hdf5 import Hdf5, zarr
from ood_diffusion.domains.arrays.npy import npy, npz
from ood_diffusion.domains.arrays.stored import Stored
from ood_diffusion.domains.source import Source, existing, shown
from ood_diffusion.domains.walk import counted, files_below, of_kinds

Map: TypeAlias = NDArray[np.float64]
"""Physical values, shape ``[C, H, W]``."""

ZARR = ".zarr"
"""A store of this kind is a folder."""

Reader = Callable[[Path, str | int | None], AbstractContextManager[Stored]]
READERS: dict[str, Reader] = {
    ".npy": npy,
    ".npz": npz,
    ".fits": fits,
    ".fit": fits,
    ".fts": fits,
    ".fz": fits,
    ZARR: zarr,
}
HDF5 = (".h5", ".hdf5")


class ArraySource(Source[Map]):
    """The maps of one array file, or of all array files of a folder and its sub-folders.

    A map is named by its file, followed by its number in brackets where files hold several (axis N).

    Args:
        path: a file or a folder; ``~`` is the home folder.
        axes: what the axes of every array mean, one of `AXES`.
        entry: which array of an .npz, HDF5 or zarr, or which HDU of a FITS file; None if there is one only.

    Raises:
        UserError: if `path` is missing or a file of another kind, or `axes` is unknown.
    """

    def __init__(self, path: str | Path, axes: str, entry: str | int | None = None) -> None:
        check_axes(axes)
        self.path, self.axes, self.entry = existing(path), axes, entry
        self._readers = READERS | dict.fromkeys(HDF5, Hdf5())
        self.place = shown(self.path)
        self.folder = self.path.is_dir() and self.path.suffix.lower() != ZARR
        self.root = self.path if self.folder else self.path.parent

    def names(self) -> list[str]:
        """Relative to the folder; only headers are read, and only where an axis N must be counted."""
        if self.folder:
            found, others = files_below(self.path)
            files, more = of_kinds(found, self._readers)
            self.passed_over = more + others
        else:
            files = [self.path.name] if self.path.suffix.lower() in self._readers else []
        beside = f" (with {counted(self.passed_over)})" if self.passed_over else ""
        require(
            bool(files),
            f"domain.path must be an array file or a folder of them ({' '.join(self._readers)})",
            f"{self.place}{beside}",
            "Check domain.path; for images use domain=image_folder.",
        )
        if "N" not in self.axes:
            return files
        return [f"{file}[{i}]" for file in files for i in range(self._count(file))]

    def read(self, name: str) -> Map:
        """One map, as float64 whatever the file's type and byte order."""
        file, index = name, 0
        if "N" in self.axes:
            file, _, number = name.removesuffix("]").rpartition("[")
            index = int(number)
        with self._opened(file) as stored:
            count(self.axes, stored.shape, self.where(file))
            values = stored.part(position(self.axes, stored.shape, index))
            return channels_first(self.axes, values.astype(np.float64))

    def where(self, name: str) -> str:
        """As ``/data/clouds.npy[12]``."""
        return shown(self.root / name)

    def _count(self, file: str) -> int:
        with self._opened(file) as stored:
            return count(self.axes, stored.shape, self.where(file))

    def _opened(self, file: str) -> AbstractContextManager[Stored]:
        path = self.root / file
        return self._readers[path.suffix.lower()](path, self.entry)
