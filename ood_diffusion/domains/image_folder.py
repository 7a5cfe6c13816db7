"""A folder of image files."""

from ood_diffusion.domains.image_collection import ImageTree
from ood_diffusion.domains.images.folder import FolderSource


class ImageFolder(ImageTree):
    """The images of a folder and its sub-folders, of any size and mode."""

    source_type = FolderSource
