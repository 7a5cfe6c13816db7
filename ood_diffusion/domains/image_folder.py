"""A user's own pictures, from a folder or a .zip."""

import hashlib
import struct
from pathlib import Path

from torch import Tensor

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.base import SPLITS, Domain, Split
from ood_diffusion.domains.images.files import ImageFiles, open_image, unreadable
from ood_diffusion.domains.images.preprocess import PREPROCESSING_VERSION, to_square_rgb
from ood_diffusion.domains.images.split_folders import given_splits
from ood_diffusion.domains.splits import halves, seeded_order
from ood_diffusion.fingerprint import fingerprint


class ImageFolder(Domain):
    """Images of any size and mode under one folder or in one .zip.

    Splits: sub-folders `references/` and `held_out/` (at the top or under a single top folder) are taken
    as they are; otherwise the images are split half and half by a seeded shuffle of their content hashes,
    which no file name or listing order can change. Within a split the order is that same shuffle, so
    that the first n references are a random subset of the first n + 1. Copies of a file (equal bytes)
    count once. Every file is hashed and its header read on construction; its pixels are decoded when
    it is rendered. How pixels become a square is said in `preprocess`.

    Args:
        image_size: side of the pictures in pixels.
        path: a folder or a .zip; ``~`` is the home folder.
        seed: of the shuffle.

    Raises:
        UserError: if the path is missing or of another kind, holds no or one image, holds a file that
            is no image, or holds the same image in both given splits.
    """

    def __init__(self, image_size: int, path: str | Path, seed: int = 0) -> None:
        """Find, hash and split the files; the pixels are not decoded yet."""
        super().__init__(image_size)
        self.files = ImageFiles(path)
        names = self.files.names()
        require(bool(names), "domain.path must hold images", f"none in {path}", "Check domain.path.")
        digests = {name: self._digest(name) for name in names}
        given = given_splits(names, str(path))
        if given is None:
            self._name_of = _first_names(names, digests)
            splits = dict(zip(SPLITS, halves(seeded_order(self._name_of, seed)), strict=True))
        else:
            by_split = {split: _first_names(given[split], digests) for split in SPLITS}
            self._refuse_shared(by_split)
            self._name_of = by_split["references"] | by_split["held_out"]
            splits = {split: seeded_order(by_split[split], seed) for split in SPLITS}
        self._digests: dict[Split, list[str]] = splits
        require(
            len(self._name_of) >= 2,
            "a domain needs at least 2 different images, one to learn from and one to judge by",
            f"{len(self._name_of)} in {path}",
            "Add images; copies of one file count once.",
        )

    def size(self, split: Split) -> int:
        """The number of different images in `split`."""
        return len(self._digests[split])

    def key(self, split: Split, index: int) -> str:
        """Hash the file's content and what is done to it; names and paths do not enter."""
        self.check_item(split, index)
        return fingerprint(
            {
                "domain": "image_folder",
                "file": self._digests[split][index],
                "preprocessing": PREPROCESSING_VERSION,
                "image_size": self.image_size,
            }
        )

    def name(self, split: Split, index: int) -> str:
        """The file's name relative to the path, for messages and tables."""
        self.check_item(split, index)
        return self._name_of[self._digests[split][index]]

    def render(self, split: Split, index: int) -> Tensor:
        """Decode one file to uint8, shape ``[3, image_size, image_size]``.

        Raises:
            UserError: naming the file, if its pixels are damaged or it was changed since construction.
        """
        name = self.name(split, index)
        where = self.files.where(name)
        data = self.files.read(name)
        require(
            hashlib.sha256(data).hexdigest() == self._digests[split][index],
            "an image file must not change during a run",
            where,
            "Start the run again.",
        )
        try:
            return to_square_rgb(open_image(data, where), self.image_size)
        except UserError as error:  # a UserError is a ValueError: keep its wording, add the file
            raise UserError(f"{where}: {error}") from error
        except (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error) as error:
            raise unreadable(where, error) from error

    def _digest(self, name: str) -> str:
        data = self.files.read(name)
        open_image(data, self.files.where(name))
        return hashlib.sha256(data).hexdigest()

    def _refuse_shared(self, by_split: dict[Split, dict[str, str]]) -> None:
        references, held_out = by_split["references"], by_split["held_out"]
        shared = sorted(references.keys() & held_out.keys(), key=references.__getitem__)
        if shared:
            pair = f"{references[shared[0]]} and {held_out[shared[0]]}"
            require(
                False,
                "references and held_out must not share an image",
                f"the same bytes in {pair}" + (f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""),
                f"Remove one of each pair from {self.files.path}.",
            )


def _first_names(names: list[str], digests: dict[str, str]) -> dict[str, str]:
    """Content hash to the first (alphabetically) name that has it: copies fall away."""
    return {digests[name]: name for name in sorted(names, reverse=True)}
