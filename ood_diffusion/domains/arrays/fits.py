"""Images in FITS files, read with astropy."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ood_diffusion.checks import UserError
from ood_diffusion.domains.arrays.entries import chosen_entry
from ood_diffusion.domains.arrays.stored import Stored
from ood_diffusion.domains.extras import optional
from ood_diffusion.domains.source import unreadable


@contextmanager
def fits(path: Path, entry: str | int | None) -> Iterator[Stored]:
    """One image of a FITS file; only the parts that are asked for are read.

    BSCALE and BZERO are applied, blank pixels are NaN, tile-compressed images are unpacked. The first row of
    the array is FITS's first row, which viewers show at the bottom.

    Args:
        path: of the file.
        entry: number or name of the image's HDU; None if there is one image only.

    Raises:
        UserError: if the file is damaged, truncated or no FITS, or `entry` names none of its images or is
            needed to choose one, or the package astropy is missing.
    """
    library = optional("astropy.io.fits", "fits")
    try:
        # not memory-mapped: astropy then refuses scaled images, and `section` reads parts without it
        with library.open(path, memmap=False) as file:
            images = {str(i): hdu for i, hdu in enumerate(file) if hdu.is_image and hdu.shape}
            named = {hdu.name: hdu for hdu in images.values() if hdu.name}
            by_number = entry is None or str(entry) in images
            chosen = chosen_entry(list(images) if by_number else list(named), entry, str(path))
            hdu = (images if by_number else named)[chosen]
            yield Stored(tuple(hdu.shape), lambda at: np.asarray(hdu.section[at]))
    except UserError:  # a UserError is a ValueError
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, zlib.error) as error:
        raise unreadable(str(path), error) from error
