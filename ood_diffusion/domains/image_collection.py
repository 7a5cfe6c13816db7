"""Image files, wherever they lie, as a domain."""

from ood_diffusion.domains.collection import Collection
from ood_diffusion.domains.images.encoded import EncodedImages
from ood_diffusion.domains.images.source import ImageSource


class ImageCollection(Collection[bytes]):
    """What folders, archives and databases of image files have in common; see `Collection` for the splits.

    Args:
        image_size: side of the pictures in pixels.
        source: of the files.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many images; None keeps all.
        crop: side of the centred square that is kept, as a share of the short side, in (0, 1].
    """

    def __init__(
        self, image_size: int, source: ImageSource, seed: int | None, limit: int | None, crop: float
    ) -> None:
        super().__init__(image_size, source, EncodedImages(crop), seed, limit)
