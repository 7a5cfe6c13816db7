"""A folder of image files."""

from collections.abc import Sequence
from pathlib import Path

from ood_diffusion.domains.image_collection import ImageCollection
from ood_diffusion.domains.images.folder import FolderSource


class ImageFolder(ImageCollection):
    """The images of a folder and its sub-folders, of any size and mode.

    Args:
        image_size: side of the pictures in pixels.
        path: the folder; ``~`` is the home folder.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many images; None keeps all.
        classes: only files below folders of these names; None takes all.
        crop: side of the centred square that is kept, as a share of the short side.

    Raises:
        UserError: if `path` is missing or no folder, holds no images or no class of that name, a file is
            no image, or for what `Collection` refuses.
    """

    def __init__(
        self,
        image_size: int,
        path: str | Path,
        seed: int | None = 0,
        limit: int | None = None,
        classes: Sequence[str] | None = None,
        crop: float = 1.0,
    ) -> None:
        super().__init__(image_size, FolderSource(path, classes), seed, limit, crop)
