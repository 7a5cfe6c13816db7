"""Image files, wherever they lie, as a domain."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ood_diffusion.domains.collection import Collection
from ood_diffusion.domains.images.encoded import EncodedImages
from ood_diffusion.domains.images.source import ImageSource


class ImageCollection(Collection[bytes]):
    """What folders, archives and databases of image files have in common; see `Collection` for the splits.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        source: of the files.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many images; None keeps all.
        crop: see `EncodedImages`.
        channels: see `EncodedImages`.
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        source: ImageSource,
        seed: int | None,
        limit: int | None,
        crop: float,
        channels: str | Sequence[int],
    ) -> None:
        super().__init__(image_size, source, EncodedImages(crop, channels), seed, limit)


class ImageTree(ImageCollection):
    """Files in folders, on disk or in an archive: what `ImageFolder` and `ImageZip` have in common.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        path: of the tree; ``~`` is the home folder.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many images; None keeps all.
        classes: only files below folders of these names; None takes all.
        crop: see `EncodedImages`.
        channels: see `EncodedImages`.

    Raises:
        UserError: if `path` is missing or of another kind, holds no images or no class of that name, a
            file is no image, or for what `Collection` refuses.
    """

    source_type: Callable[[str | Path, Sequence[str] | None], ImageSource]
    """Opens the tree from `path` and `classes`."""

    def __init__(
        self,
        image_size: int | Sequence[int],
        path: str | Path,
        seed: int | None = 0,
        limit: int | None = None,
        classes: Sequence[str] | None = None,
        crop: float = 1.0,
        channels: str | Sequence[int] = "rgb",
    ) -> None:
        super().__init__(image_size, self.source_type(path, classes), seed, limit, crop, channels)
