"""Where encoded image files come from, and which files are images."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from ood_diffusion.checks import require
from ood_diffusion.domains.source import Source, shown, unreadable
from ood_diffusion.domains.walk import counted, of_kinds
from ood_diffusion.natural_order import natural_order

SUFFIXES = frozenset(
    f".{kind}"
    for group in (
        ("avif", "bmp", "gif", "jfif", "jp2", "jpeg", "jpg", "png", "tga", "tif", "tiff", "webp"),
        ("pbm", "pgm", "pnm", "ppm"),
    )
    for kind in group
)
"""Files with other endings are passed over, and so are hidden ones and those of the system."""

MAX_FILE_BYTES = 2**30
"""Larger than any picture below Pillow's pixel limit; stops a .zip member that unpacks to fill the memory."""

SHOWN = 20
"""Folder names that a message lists at most."""


class ImageSource(Source[bytes]):
    """Image files as they are on disk: PNG, JPEG, WebP … bytes, decoded by whoever reads them."""


def image_names(
    found: Sequence[str], classes: Sequence[str] | None, place: str
) -> tuple[list[str], Counter[str]]:
    """The names of image files among `found`, and how many others there are of each kind.

    Args:
        found: names of all files, with forward slashes.
        classes: keep only files that lie below a folder of one of these names; None keeps all.
        place: where they are, for the message.

    Raises:
        UserError: if there are none, or `classes` names a folder that does not hold any.
    """
    names, others = of_kinds(found, SUFFIXES)
    listed, beside = " ".join(sorted(SUFFIXES)), f" (but {counted(others)})" if others else ""
    require(
        bool(names),
        f"domain.path must hold images ({listed})",
        f"none in {place}{beside}",
        "Check domain.path, or convert the images to one of these formats.",
    )
    if classes is None:
        return names, others
    require(
        isinstance(classes, list | tuple) and len(classes) > 0 and all(isinstance(c, str) for c in classes),
        "domain.classes must be a list of folder names, or null",
        classes,
        "Write for example domain.classes=[dog].",
    )
    # one spelling of é: macOS writes it as two characters, most keyboards as one
    folders = {name: set(PurePosixPath(normalize("NFC", name)).parts[:-1]) for name in names}
    there = sorted(set().union(*folders.values()), key=natural_order)
    wanted = {normalize("NFC", name) for name in classes}
    missing = sorted(wanted.difference(there))
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    require(
        not missing,
        "every name in domain.classes must be a folder with images",
        missing,
        f"The folders in {place} are: {', '.join(there[:SHOWN])}{more}.",
    )
    return [name for name in names if not folders[name].isdisjoint(wanted)], others


def file_bytes(path: Path) -> bytes:
    """The bytes of an image file on disk, at most `MAX_FILE_BYTES`; a pipe or device is never read.

    Raises:
        UserError: naming the file, if it is no regular one, too large or cannot be read.
    """
    where = shown(path)
    try:
        if path.exists() and not path.is_file():
            raise unreadable(where, "a folder, pipe or device")
        check_bytes(path.stat().st_size, where)
        return path.read_bytes()
    except OSError as error:
        raise unreadable(where, error) from error


def check_bytes(size: int, where: str) -> None:
    """Raise `UserError` if a file is larger than `MAX_FILE_BYTES`."""
    require(
        size <= MAX_FILE_BYTES,
        f"an image file must unpack to at most {MAX_FILE_BYTES} bytes",
        f"{size} bytes in {where}",
        "Remove it, or save it smaller.",
    )
