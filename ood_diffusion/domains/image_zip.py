"""A .zip archive of image files, read in memory and never extracted."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from ood_diffusion.checks import require
from ood_diffusion.domains.image_collection import ImageTree
from ood_diffusion.domains.images.source import ImageSource, check_bytes, image_names
from ood_diffusion.domains.source import existing, shown, unreadable
from ood_diffusion.domains.walk import kind


class ZipSource(ImageSource):
    """The images of a .zip archive and the folders in it; a ``\\`` in a name is the ``/`` of Windows.

    Args:
        path: the archive; ``~`` is the home folder.
        classes: only files below folders of these names; None takes all.

    Raises:
        UserError: if `path` is missing, no .zip archive or a damaged one, or `check_member` refuses one of
            its members.
    """

    def __init__(self, path: str | Path, classes: Sequence[str] | None = None) -> None:
        self.path, self.classes = existing(path), classes
        self.place = shown(self.path)
        is_folder = self.path.is_dir()
        require(
            not is_folder and zipfile.is_zipfile(self.path),
            "domain.path must be a .zip archive",
            f"{'the folder' if is_folder else 'the file'} {self.place}",
            f"Use domain=image_folder domain.path={path}."
            if is_folder
            else "Unpack it and use domain=image_folder, or fetch it again if it should be a .zip.",
        )
        self._open: tuple[int, zipfile.ZipFile] | None = None
        self._members = {info.filename.replace("\\", "/"): info for info in self._archive().infolist()}
        for name in self._members:
            check_member(name, self.place)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open archive behind; the copy opens its own."""
        return self.__dict__ | {"_open": None}

    def names(self) -> list[str]:
        """Paths inside the archive."""
        files = [name for name in sorted(self._members) if not name.endswith("/")]
        names, self.passed_over = image_names(files, self.classes, self.place)
        return names

    def read(self, name: str) -> bytes:
        """The bytes of one member, unpacked: at most `MAX_FILE_BYTES`."""
        try:
            check_bytes(self._members[name].file_size, self.where(name))
            return self._archive().read(self._members[name])
        # RuntimeError: an encrypted member; NotImplementedError: an exotic compression
        except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise unreadable(self.where(name), error) from error

    def where(self, name: str) -> str:
        """As ``pictures.zip/cats/a.png``."""
        return f"{self.place}/{name}"

    def _archive(self) -> zipfile.ZipFile:
        # A forked worker must not share the parent's file position, hence one handle per process.
        if self._open is None or self._open[0] != os.getpid():
            try:
                self._open = (os.getpid(), zipfile.ZipFile(self.path))
            except (OSError, zipfile.BadZipFile) as error:
                raise unreadable(self.place, error) from error
        return self._open[1]


def check_member(name: str, place: str) -> None:
    """Refuse an archive for one of its members.

    Raises:
        UserError: if `name` is absolute or climbs with ``..`` (nothing is extracted here, but an archive
            made to write elsewhere is not to be trusted), or is a .zip itself.
    """
    windows = PureWindowsPath(name)  # knows drives and both kinds of slash
    require(
        not name.startswith("/") and not windows.anchor and ".." not in windows.parts,
        "names in a .zip archive must stay inside it (no leading /, no ..)",
        f"{name} in {place}",
        "Do not unpack it; get the data from a source you trust.",
    )
    require(
        kind(name) != ".zip",
        "a .zip archive must hold images, not another .zip",
        f"{PurePosixPath(name)} in {place}",
        "Unpack it first and use domain=image_folder.",
    )


class ImageZip(ImageTree):
    """The images of a .zip archive, of any size and mode, read without unpacking it.

    One with names that lead out of it, or with an archive inside, is refused.
    """

    source_type = ZipSource
