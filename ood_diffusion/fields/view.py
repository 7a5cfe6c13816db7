"""Views: fields of any number of channels as the RGB pictures that eyes and ImageNet features need.

A field is uint8 (a photograph, 0 … 255) or float32 (nominally [-1, 1]), ``[n, C, H, W]``. The view belongs to
every figure that is measured on it, and is never what is inverted, drawn or stored.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from ood_diffusion.checks import UserError, require, require_positive
from ood_diffusion.fields.scale import Scale
from ood_diffusion.source import Recipe

TENTH = 0.1
"""Of the stretch: where `Lupton` is the line through it, whatever Q is."""


class View(ABC):
    """A picture of a field: `rgb` of what is shown, and a name that states everything that changes it."""

    of_flux = False
    """Whether it shows the share of the physical range on a linear scale, where fields have a scale."""
    scale: Scale | None = None

    def of(self, scale: Scale | None) -> Self:
        """This view of fields with `scale`."""
        bound = copy.copy(self)
        bound.scale = scale
        return bound

    @property
    @abstractmethod
    def name(self) -> str:
        """What figures measured on it must state; part of the address of features."""

    @abstractmethod
    def rgb(self, shown: Tensor) -> Tensor:
        """Float ``[n, C, H, W]`` in [0, 1] -> float ``[n, 3, H, W]`` in [0, 1].

        Raises:
            UserError: if there are too few channels.
        """

    def unchanged(self, shape: Sequence[int], dtype: torch.dtype) -> bool:
        """Whether fields (C, H, W) of this kind are the pictures themselves."""
        return False

    def __call__(self, fields: Tensor) -> Tensor:
        """Fields ``[n, C, H, W]``, uint8 or float32 in [-1, 1] -> uint8 ``[n, 3, H, W]``.

        What lies outside [-1, 1] is shown as black or white.
        """
        if self.unchanged(fields.shape[1:], fields.dtype):
            return fields
        if fields.dtype == torch.uint8:
            shown = fields.float() / 255
        elif self.of_flux and self.scale is not None:
            shown = self.scale.flux(fields.cpu()).to(fields.device).clamp(0, 1)
        else:
            shown = ((fields + 1) / 2).clamp(0, 1)
        return (255 * self.rgb(shown)).round().clamp(0, 255).to(torch.uint8)


class Channels(View):
    """Three channels as red, green and blue.

    Args:
        channels: their indices, three of them, or one for grey; None: the first three, or the first one if
            there are fewer.

    Raises:
        UserError: for other lists.

    Examples:
        >>> import torch
        >>> Channels([0])(torch.zeros(1, 5, 8, 8))[0, :, 0, 0]
        tensor([128, 128, 128], dtype=torch.uint8)
    """

    def __init__(self, channels: Sequence[int] | None = None) -> None:
        listed = None if channels is None else list(channels)
        fits = listed is None or (len(listed) in (1, 3) and all(type(i) is int and i >= 0 for i in listed))
        require(fits, "view.channels must be one index of a channel, or three", channels, "Try [2,1,0].")
        self.channels = listed

    @property
    def name(self) -> str:
        """The indices."""
        return "channels" if self.channels is None else f"channels {self.channels}"

    def unchanged(self, shape: Sequence[int], dtype: torch.dtype) -> bool:
        """RGB photographs are."""
        return dtype == torch.uint8 and shape[0] == 3 and self.channels in (None, [0, 1, 2])

    def rgb(self, shown: Tensor) -> Tensor:
        """The channels as they are."""
        chosen = self.channels or ([0, 1, 2] if shown.shape[1] >= 3 else [0])
        check_channels(chosen, shown.shape[1])
        return shown[:, chosen].expand(-1, 3, -1, -1)


class Grey(View):
    """The mean of all channels."""

    @property
    def name(self) -> str:
        """Grey."""
        return "grey"

    def rgb(self, shown: Tensor) -> Tensor:
        """The mean, three times."""
        return shown.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)


class Colormap(View):
    """One channel in the colours of a map of matplotlib's.

    Args:
        name: of the map, such as ``viridis`` or ``inferno``.
        channel: index of the channel.

    Raises:
        UserError: if there is no such map.
    """

    def __init__(self, name: str, channel: int = 0) -> None:
        from matplotlib import colormaps

        require(name in colormaps, "view.name must be a colour map of matplotlib", name, "Try viridis.")
        self.channel, self._name = channel, name
        colours = colormaps[name](torch.linspace(0, 1, 256).numpy())[:, :3]
        self._colours = torch.from_numpy(colours).float()

    @property
    def name(self) -> str:
        """The map and the channel."""
        return f"colormap {self._name} of channel {self.channel}"

    def rgb(self, shown: Tensor) -> Tensor:
        """The nearest of 256 colours."""
        check_channels([self.channel], shown.shape[1])
        steps = (255 * shown[:, self.channel]).round().long()
        return self._colours.to(shown.device)[steps].movedim(-1, 1)


class Lupton(View):
    r"""Three channels in colours that brightness does not change (Lupton et al. 2004).

    Each is multiplied by :math:`f(I)/I`, with I their mean and astropy's constants in
    :math:`f(I) = \mathrm{asinh}(QI/s) \cdot 0.1/\mathrm{asinh}(0.1\,Q)`. What is brighter than white is
    dimmed to it in all three.

    Args:
        channels: indices of red, green and blue.
        stretch: s, as a share of the physical range.
        q: Q; near 0 the stretch is linear.

    Raises:
        UserError: for settings that are out of range.
    """

    of_flux = True

    def __init__(self, channels: Sequence[int] = (0, 1, 2), stretch: float = 0.5, q: float = 8.0) -> None:
        require(
            len(channels) == 3 and all(type(i) is int and i >= 0 for i in channels),
            "view.channels must be the indices of red, green and blue",
            list(channels),
            "Try [2,1,0].",
        )
        require_positive("view.stretch", stretch, "0.5 is usual.")
        require_positive("view.q", q, "8 is usual.")
        self.channels, self.stretch, self.q = list(channels), float(stretch), float(q)

    @property
    def name(self) -> str:
        """All settings."""
        return f"lupton {self.channels} stretch {self.stretch:g} q {self.q:g}"

    def rgb(self, shown: Tensor) -> Tensor:
        """Colours of `shown`, which is taken for flux."""
        check_channels(self.channels, shown.shape[1])
        bands = shown[:, self.channels]
        mean = bands.mean(dim=1, keepdim=True).clamp_min(1e-12)
        slope = TENTH / math.asinh(TENTH * self.q)
        colours = bands * (slope * torch.asinh(self.q * mean / self.stretch) / mean)
        return colours / colours.amax(dim=1, keepdim=True).clamp_min(1)


def check_channels(wanted: Sequence[int], there: int) -> None:
    """Raise `UserError` unless there are so many channels that all that are `wanted` are among them."""
    if max(wanted) >= there:
        raise UserError(
            f"a view must show channels of fields that have {there}, numbered from 0, but got {list(wanted)}."
            " Change the view's settings, or try view=grey."
        )


def described(view: View, shape: Sequence[int], dtype: torch.dtype) -> Recipe:
    """What of a view determines features of fields of this kind; empty for RGB photographs themselves."""
    if view.unchanged(shape, dtype):
        return {}
    flux = {"flux": view.scale.recipe()} if view.of_flux and view.scale is not None else {}
    return {"view": view.name, **flux}


def judged_by(extractor: str, view: Mapping[str, Any]) -> str:
    """What figures on features must state: the extractor, and the view if there is one, as `described`."""
    return f"{extractor}, view {view['view']}" if view else extractor
