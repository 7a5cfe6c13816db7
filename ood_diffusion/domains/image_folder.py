"""A folder of image files."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from ood_diffusion.checks import require
from ood_diffusion.domains.image_collection import ImageTree
from ood_diffusion.domains.images.source import ImageSource, file_bytes, image_names
from ood_diffusion.domains.source import existing, shown
from ood_diffusion.domains.walk import files_below


class FolderSource(ImageSource):
    """The images of a folder and its sub-folders, symbolic links included.

    Args:
        path: the folder; ``~`` is the home folder.
        classes: only files below folders of these names; None takes all.

    Raises:
        UserError: if `path` is missing or no folder.
    """

    def __init__(self, path: str | Path, classes: Sequence[str] | None = None) -> None:
        self.path, self.classes = existing(path), classes
        self.place = shown(self.path)
        is_zip = self.path.is_file() and zipfile.is_zipfile(self.path)
        archive = f"Use domain=image_zip domain.path={path}."
        require(
            self.path.is_dir(),
            "domain.path must be a folder",
            f"{'the .zip archive' if is_zip else 'the file'} {self.place}",
            archive if is_zip else "Give the folder that holds the images.",
        )

    def names(self) -> list[str]:
        """Relative to the folder."""
        found, others = files_below(self.path)
        names, more = image_names(found, self.classes, self.place)
        self.passed_over = more + others
        return names

    def read(self, name: str) -> bytes:
        """The bytes of one file, at most `MAX_FILE_BYTES`."""
        return file_bytes(self.path / name)

    def where(self, name: str) -> str:
        """The file's path."""
        return shown(self.path / name)


class ImageFolder(ImageTree):
    """The images of a folder and its sub-folders, of any size and mode."""

    source_type = FolderSource
