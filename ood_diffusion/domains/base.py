"""What every domain offers: pictures in two splits, addressed before they are drawn."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor

from ood_diffusion.checks import Json, require, require_choice, require_integer
from ood_diffusion.domains.drawing import Drawing
from ood_diffusion.fields.scale import Scale
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.source import Recipe, identity

Split = Literal["references", "held_out"]
"""`references` are the few pictures the method is given; `held_out` are only ever used to judge it."""

SPLITS: tuple[Split, ...] = get_args(Split)


class Domain(ABC):
    """A source of pictures of one shape, the same bytes for the same (split, index) in every process.

    A subclass writes `size`, `key` and `render`, is cheap to construct, can be pickled (data-loading
    workers receive a copy) and calls `check_item` first in `key` and `render`.

    Args:
        image_size: side of the pictures in pixels, at least 1, or (H, W); a domain that is not `rectangular`
            makes squares of side H then.

    Raises:
        UserError: if `image_size` is not made of positive integers.

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

    channels = 3
    """C of its pictures, which are RGB where it is 3."""
    dtype = torch.uint8
    """uint8 for photographs, 0 … 255; float32 for fields, in [-1, 1]."""
    physical_scale: Scale | None = None
    """What fields are in physical units, if they are."""
    rectangular = False
    """Whether it can make pictures that are no squares."""

    def __init__(self, image_size: int | Sequence[int]) -> None:
        """Keep the size; subclasses take their own settings besides."""
        remedy = "Build the domain with the size of the model's images."
        height, width = (image_size, image_size) if not isinstance(image_size, Sequence) else image_size
        for side in (height, width):
            require_integer("a domain's image_size", side, 1, remedy)
        self.image_size = height
        self.sides = (height, width if self.rectangular else height)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of its pictures."""
        return (self.channels, *self.sides)

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
    def _code(self) -> Recipe:
        return identity(self)

    @abstractmethod
    def render(self, split: Split, index: int) -> Tensor:
        """Draw one picture of `dtype` and `shape`: RGB if it has three channels."""

    def where(self, split: Split, index: int) -> str:
        """Where one picture is, for a message."""
        return f"number {index} of {split}"

    def record(self) -> Json:
        """What `results.json` says about the data beside the settings: of fields their scale."""
        return {} if self.physical_scale is None else self.physical_scale.recipe()

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
