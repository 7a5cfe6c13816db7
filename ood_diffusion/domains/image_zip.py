"""A .zip archive of image files."""

from ood_diffusion.domains.image_collection import ImageTree
from ood_diffusion.domains.images.archive import ZipSource


class ImageZip(ImageTree):
    """The images of a .zip archive, of any size and mode, read without unpacking it.

    One with names that lead out of it, or with an archive inside, is refused.
    """

    source_type = ZipSource
