"""What every domain offers: pictures in two splits, addressed before they are drawn."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Literal, get_args

from torch import Tensor

from ood_diffusion.checks import require, require_choice, require_integer
from ood_diffusion.domains.drawing import Drawing
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.source import identity

Split = Literal["references", "held_out"]
"""`references` are the few pictures the method is given; `held_out` are only ever used to judge it."""

SPLITS: tuple[Split, ...] = get_args(Split)


class Domain(ABC):
    """A source of square RGB pictures, the same bytes for the same (split, index) in every process.

    A subclass writes `size`, `key` and `render`, is cheap to construct, can be pickled (data-loading
    workers receive a copy) and calls `check_item` first in `key` and `render`.

    Args:
        image_size: side of the pictures in pixels, at least 1.

    Raises:
        UserError: if `image_size` is not a positive integer.

    Examples:
        >>> import torch
        >>> class Greys(Domain):
        ...     def size(self, split):
        ...         return 100
        ...     def key(self, split, index):
        ...         self.check_item(split, index)
        ...         return fingerprint(["greys", self.image_size, split, index])
        ...     def render(self, split, index):
        ...         self.check_item(split, index)
        ...         grey = 2 * index + (split == "held_out")
        ...         return torch.full((3, self.image_size, self.image_size), grey, dtype=torch.uint8)
        >>> Greys(4).render("references", 7).unique()
        tensor([14], dtype=torch.uint8)
    """

    halved = False
    """Whether the splits are halves of one set, in which a picture that is there twice counts once."""

    def __init__(self, image_size: int) -> None:
        """Keep the size; subclasses take their own settings besides."""
        remedy = "Build the domain with the side of the model's images."
        require_integer("a domain's image_size", image_size, 1, remedy)
        self.image_size = image_size

    @property
    def drawing(self) -> Drawing | None:
        """How a frozen model draws the pictures, or those that they are made of; None where none does."""
        return None

    @abstractmethod
    def size(self, split: Split) -> int | None:
        """How many pictures `split` holds; None means that they never run out."""

    @abstractmethod
    def key(self, split: Split, index: int) -> str:
        """Hash everything that determines the picture to 16 or more hexadecimal digits, without drawing it.

        The hash holds no absolute path, file time or host name: two pictures with one key are equal on
        every machine. (Another version of numpy, Pillow or the processor's maths library may move
        single pixels by rounding; within one installation the bytes are equal.)
        """

    def address(self, split: Split, index: int) -> str:
        """What stores know the picture by: its key and, unless the domain is this package's, its code."""
        key = self.key(split, index)
        return fingerprint([key, self._code]) if "code" in self._code else key

    @cached_property
    def _code(self) -> dict[str, Any]:
        return identity(self)

    @abstractmethod
    def render(self, split: Split, index: int) -> Tensor:
        """Draw one picture: uint8, shape ``[3, image_size, image_size]``, RGB, 0 black to 255 full."""

    def where(self, split: Split, index: int) -> str:
        """Where one picture is, for a message."""
        return f"number {index} of {split}"

    def record(self) -> dict[str, Any]:
        """What `results.json` says about the data beside the settings, as JSON."""
        return {}

    def check_item(self, split: Split, index: int) -> None:
        """Raise `UserError` unless `split` exists and holds a picture number `index` (counted from 0)."""
        require_choice("split", split, SPLITS)
        size = self.size(split)
        require(
            index >= 0 and (size is None or index < size),
            f"a picture of {split} must be numbered from 0"
            + ("" if size is None else f" to {size - 1} (there are {size})"),
            index,
            f"Ask for fewer {split} or add images to the domain.",
        )
