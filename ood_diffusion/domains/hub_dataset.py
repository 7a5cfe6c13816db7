"""A data set of the Hugging Face hub."""

from ood_diffusion.domains.image_collection import ImageCollection
from ood_diffusion.domains.images.hub import HubSource


class HubDataset(ImageCollection):
    """One split of a data set with an image column; rows serve as names.

    Args:
        image_size: side of the pictures in pixels.
        name: id on the hub (``user/data_set``), a local folder, or a .parquet file.
        subset: for data sets that come in several; None takes the default one.
        split: as the data set calls it; halved into references and held-out images here.
        column: of the images.
        revision: branch, tag or commit on the hub; None is its main branch.
        seed: of order and halves; None keeps the order of rows.
        limit: at most this many images; None keeps all.
        crop: side of the centred square that is kept, as a share of the short side.

    Raises:
        UserError: if the data set cannot be had, has no such split or column, a row holds no image, the
            package datasets is missing, or for what `Collection` refuses.
    """

    def __init__(
        self,
        image_size: int,
        name: str,
        subset: str | None = None,
        split: str = "train",
        column: str = "image",
        revision: str | None = None,
        seed: int | None = 0,
        limit: int | None = None,
        crop: float = 1.0,
    ) -> None:
        super().__init__(image_size, HubSource(name, subset, split, column, revision), seed, limit, crop)
