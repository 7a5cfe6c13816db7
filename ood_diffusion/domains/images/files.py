"""Find and read image files in a folder or a .zip, without trusting a name or a header.

Members of a .zip are read in memory and never extracted, so a path inside it cannot reach the disk.
"""

import os
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image

from ood_diffusion.checks import UserError, require

SUFFIXES = frozenset(
    f".{kind}"
    for group in (
        ("avif", "bmp", "gif", "jfif", "jp2", "jpeg", "jpg", "png", "tga", "tif", "tiff", "webp"),
        ("pbm", "pgm", "pnm", "ppm"),
    )
    for kind in group
)
"""Files with other endings, hidden files and macOS's `__MACOSX` twins are passed over."""

MAX_FILE_BYTES = 2**30
"""Larger than any picture below Pillow's pixel limit; stops a .zip member that unpacks to fill the memory."""


class ImageFiles:
    """The image files under one path, by name; picklable, and safe to use after a fork.

    Args:
        path: a folder (searched with its sub-folders and symbolic links) or a .zip file.

    Raises:
        UserError: if `path` is missing, or neither a folder nor a .zip.
    """

    def __init__(self, path: str | Path) -> None:
        """Check the path; nothing is read yet."""
        self.path = Path(path).expanduser()
        remedy = "Set domain.path to a folder of images or to a .zip of one."
        require(self.path.exists(), "domain.path must exist", str(self.path), remedy)
        self.is_folder = self.path.is_dir()
        require(
            self.is_folder or zipfile.is_zipfile(self.path),
            "domain.path must be a folder or a .zip file",
            str(self.path),
            remedy,
        )
        self._zip: tuple[int, zipfile.ZipFile] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the open archive behind; the copy opens its own."""
        return self.__dict__ | {"_zip": None}

    def names(self) -> list[str]:
        """Names relative to the path, with forward slashes, sorted."""
        found = _folder_names(self.path) if self.is_folder else self._archive().namelist()
        return sorted({name for name in found if _is_image_name(name)})

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            UserError: naming the file, if it cannot be read or is larger than `MAX_FILE_BYTES`.
        """
        try:
            file = self.path / name
            size = file.stat().st_size if self.is_folder else self._archive().getinfo(name).file_size
            require(
                size <= MAX_FILE_BYTES,
                f"an image file must unpack to at most {MAX_FILE_BYTES} bytes",
                f"{size} bytes in {self.where(name)}",
                "Remove it, or save it smaller.",
            )
            return file.read_bytes() if self.is_folder else self._archive().read(name)
        # RuntimeError: an encrypted member; NotImplementedError: an exotic compression
        except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise unreadable(self.where(name), error) from error

    def where(self, name: str) -> str:
        """The file's path for a message, as ``folder/a.png`` or ``pictures.zip/a.png``."""
        return str(self.path / name)

    def _archive(self) -> zipfile.ZipFile:
        # A forked worker must not share the parent's file position, hence one handle per process.
        if self._zip is None or self._zip[0] != os.getpid():
            try:
                self._zip = (os.getpid(), zipfile.ZipFile(self.path))
            except (OSError, zipfile.BadZipFile) as error:
                raise unreadable(str(self.path), error) from error
        return self._zip[1]


def open_image(data: bytes, where: str) -> Image.Image:
    """Read an image's header; its pixels are decoded on first use.

    Raises:
        UserError: naming `where`, if this is no image or holds more pixels than
            ``PIL.Image.MAX_IMAGE_PIXELS`` (Pillow's guard against decompression bombs).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"an image must hold at most {Image.MAX_IMAGE_PIXELS} pixels, but got more in {where}. "
            "Save it smaller; this is Pillow's guard against decompression bombs."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise unreadable(where, error) from error


def unreadable(where: str, error: Exception) -> UserError:
    """The one wording for a file that cannot be read."""
    return UserError(
        f"an image file must be readable, but got {where} ({type(error).__name__}: {error}). "
        "Repair or remove it."
    )


def _folder_names(root: Path) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()  # real paths: a link that leads back up ends here

    def stop(error: OSError) -> None:  # os.walk would pass over a closed folder in silence
        raise unreadable(str(error.filename), error) from error

    for folder, children, files in os.walk(root, onerror=stop, followlinks=True):
        children.sort()
        real = os.path.realpath(folder)
        if real in seen:
            children.clear()
            continue
        seen.add(real)
        names += [(Path(folder) / file).relative_to(root).as_posix() for file in files]
    return names


def _is_image_name(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not name.endswith("/") and not hidden and PurePosixPath(name).suffix.lower() in SUFFIXES
