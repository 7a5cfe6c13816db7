"""Arrays in HDF5 files, read with h5py, and in zarr stores."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ood_diffusion.checks import UserError
from ood_diffusion.domains.arrays.stored import Stored, check_numbers, chosen_entry
from ood_diffusion.domains.source import shown, unreadable
from ood_diffusion.extras import import_extra


class Hdf5:
    """Reads datasets of HDF5 files; the last file stays open, in every process by a handle of its own."""

    def __init__(self) -> None:
        self._open: tuple[tuple[object, ...], Any] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the open file behind; the copy opens its own."""
        return {"_open": None}

    @contextmanager
    def __call__(self, path: Path, entry: str | int | None) -> Iterator[Stored]:
        """One dataset; only the parts that are asked for are read. Links are not followed.

        Args:
            path: of the file.
            entry: name of the dataset, with its groups: ``maps/density``; None if there is one only.

        Raises:
            UserError: if the file is damaged or no HDF5, holds no numbers there, or `entry` names none of its
                datasets or is needed to choose one, or the package h5py is missing.
        """
        try:
            data = self._dataset(path, entry)
            yield Stored(tuple(data.shape), lambda at: np.asarray(data[at]))
        except UserError:  # a UserError is a ValueError
            raise
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise unreadable(shown(path), error) from error

    def _dataset(self, path: Path, entry: str | int | None) -> Any:
        wanted = os.getpid(), path, entry, path.stat().st_mtime_ns
        if self._open is not None and self._open[0] == wanted:
            return self._open[1]
        if self._open is not None:  # in a forked process its copy: the parent's stays open
            self._open[1].file.close()
            self._open = None
        library = import_extra("h5py", "hdf5")
        with ExitStack() as until_found:
            file = until_found.enter_context(library.File(path, "r"))
            found: list[str] = []

            def note(name: str, item: object) -> None:
                if isinstance(item, library.Dataset):
                    found.append(name)

            file.visititems(note)
            name = chosen_entry(found, entry, shown(path))
            check_numbers(file[name].dtype, f"{shown(path)}[{name}]")
            self._open = wanted, file[name]
            until_found.pop_all()
        return self._open[1]


@contextmanager
def zarr(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """The same of a zarr store: a folder whose name ends with .zarr, a group or one array.

    What a store does not hold is its fill value, also where a copy has ended early: zarr cannot tell.

    Raises:
        UserError: as for `Hdf5`.
    """
    library = import_extra("zarr", "zarr")
    try:
        root = library.open(path, mode="r")
        if isinstance(root, library.Group):
            members = root.members(max_depth=None)
            arrays = {name: item for name, item in members if isinstance(item, library.Array)}
            root = arrays[chosen_entry(list(arrays), entry, shown(path))]
        check_numbers(root.dtype, shown(path))
        yield Stored(tuple(root.shape), lambda at: np.asarray(root[at]))
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise unreadable(shown(path), error) from error
