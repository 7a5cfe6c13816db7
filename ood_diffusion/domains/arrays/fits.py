"""Images in FITS files, read with astropy."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.arrays.stored import Stored, chosen_entry
from ood_diffusion.domains.source import shown, unreadable
from ood_diffusion.extras import import_extra


@contextmanager
def fits(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """One image of a FITS file; only the parts that are asked for are read.

    BSCALE and BZERO are applied, blank pixels are NaN, tile-compressed images are unpacked. The first row of
    the array is FITS's first row, which viewers show at the bottom.

    Args:
        path: of the file.
        entry: number or name of the image's HDU, in capitals or not; None if there is one image only.

    Raises:
        UserError: if the file is damaged, truncated or no FITS, or `entry` names none or several of its
            images or is needed to choose one, or the package astropy is missing.
    """
    library = import_extra("astropy.io.fits", "fits")
    try:
        # not memory-mapped: astropy then refuses scaled images, and `section` reads parts without it
        with library.open(path, memmap=False) as file:
            images = {str(i): hdu for i, hdu in enumerate(file) if hdu.is_image and hdu.shape}
            hdu = images[chosen_hdu({i: hdu.name for i, hdu in images.items()}, entry, shown(path))]
            yield Stored(tuple(hdu.shape), lambda at: np.asarray(hdu.section[at]))
    except UserError:  # a UserError is a ValueError
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, zlib.error) as error:
        raise unreadable(shown(path), error) from error


def chosen_hdu(names: Mapping[str, str], entry: str | int | None, where: str) -> str:
    """The number of the image that the user named by its number or name, or of the only one.

    Args:
        names: number of an HDU with an image -> its name, empty if it has none.
        entry: `domain.entry`.
        where: the file, for the message.

    Raises:
        UserError: as `chosen_entry`, and if several images have the name.
    """
    listed = ", ".join(f"{number} ({name})" if name else number for number, name in names.items())
    if entry is None or str(entry) in names:
        return chosen_entry(list(names), entry, where, listed)
    wanted = str(entry).strip().upper()  # FITS knows no lower case
    numbers = [number for number, name in names.items() if name.upper() == wanted]
    require(
        len(numbers) <= 1,
        f"domain.entry must name one image of {where}",
        entry,
        f"HDUs {' and '.join(numbers)} have that name: give the number.",
    )
    return numbers[0] if numbers else chosen_entry(list(names), entry, where, listed)
