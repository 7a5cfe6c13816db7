"""An LMDB database of image files, as LSUN comes."""

from pathlib import Path

from ood_diffusion.domains.image_collection import ImageCollection
from ood_diffusion.domains.images.lmdb_folder import LmdbSource


class LmdbImages(ImageCollection):
    """The values of an LMDB database, each an encoded image; keys serve as names.

    Args:
        image_size: side of the pictures in pixels.
        path: the folder that holds ``data.mdb``; ``~`` is the home folder.
        seed: of order and halves; None keeps the natural order of keys.
        limit: at most this many images; None keeps all.
        crop: side of the centred square that is kept, as a share of the short side.

    Raises:
        UserError: if `path` is missing or no LMDB folder, a value is no image, the package lmdb is
            missing, or for what `Collection` refuses.
    """

    def __init__(
        self,
        image_size: int,
        path: str | Path,
        seed: int | None = 0,
        limit: int | None = None,
        crop: float = 1.0,
    ) -> None:
        super().__init__(image_size, LmdbSource(path), seed, limit, crop)
