"""What is done to an item of a source until it is a picture."""

from abc import ABC, abstractmethod
from typing import Generic

import torch
from torch import Tensor

from ood_diffusion.domains.source import Content


class Preparation(ABC, Generic[Content]):
    """The way from an item's content to a picture."""

    dtype = torch.uint8
    """Of the pictures: uint8, or float32 of fields."""
    channels: int = 3
    """C of the pictures; known when all items have passed `check`."""

    @abstractmethod
    def check(self, content: Content, where: str) -> None:
        """Refuse what can be seen to be no picture, before anything is computed.

        Raises:
            UserError: naming `where`.
        """

    @abstractmethod
    def digest(self, content: Content) -> str:
        """Hash the content to hexadecimal digits: equal for the same picture wherever it lies."""

    @abstractmethod
    def recipe(self) -> dict[str, object]:
        """All else that determines the pixels, as JSON can express it; part of every key."""

    @abstractmethod
    def picture(self, content: Content, where: str, sides: tuple[int, int]) -> Tensor:
        """uint8, or float32 in [-1, 1], shape ``[channels, H, W]``, with (H, W) = `sides`.

        Raises:
            UserError: naming `where`, if the content is damaged.
        """
