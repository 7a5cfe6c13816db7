"""Arrays in HDF5 files, read with h5py, and in zarr stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ood_diffusion.checks import UserError
from ood_diffusion.domains.arrays.stored import Stored, check_numbers, chosen_entry
from ood_diffusion.domains.source import shown, unreadable
from ood_diffusion.extras import import_extra


@contextmanager
def hdf5(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """One dataset of an HDF5 file; only the parts that are asked for are read. Links are not followed.

    Args:
        path: of the file.
        entry: name of the dataset, with its groups: ``maps/density``; None if there is one only.

    Raises:
        UserError: if the file is damaged or no HDF5, holds no numbers there, or `entry` names none of its
            datasets or is needed to choose one, or the package h5py is missing.
    """
    library = import_extra("h5py", "hdf5")
    try:
        with library.File(path, "r") as file:
            found: list[str] = []

            def note(name: str, item: object) -> None:
                if isinstance(item, library.Dataset):
                    found.append(name)

            file.visititems(note)
            name = chosen_entry(found, entry, shown(path))
            data = file[name]
            check_numbers(data.dtype, f"{shown(path)}[{name}]")
            yield Stored(tuple(data.shape), lambda at: np.asarray(data[at]))
    except UserError:  # a UserError is a ValueError
        raise
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise unreadable(shown(path), error) from error


@contextmanager
def zarr(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """The same of a zarr store: a folder whose name ends with .zarr, a group or one array.

    What a store does not hold is its fill value, also where a copy has ended early: zarr cannot tell.

    Raises:
        UserError: as for `hdf5`.
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
