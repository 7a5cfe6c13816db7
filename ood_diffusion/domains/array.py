"""Physical fields in .npy, .npz, FITS or HDF5 files or zarr stores."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ood_diffusion.checks import Json, require, require_choice
from ood_diffusion.domains.arrays.maps import Channels, Maps, kept, mean_within, resized
from ood_diffusion.domains.arrays.source import ArraySource, Map
from ood_diffusion.domains.base import SPLITS, Split
from ood_diffusion.domains.collection import Collection
from ood_diffusion.fields.scale import Scale

End = float | Sequence[float] | str
Ends = NDArray[np.float64]
COSTED = 16
"""References of which `record` says what their preparation costs."""
LEARNED = "references"
ROUNDING = float(np.finfo(np.float32).eps)
"""By how much of itself an end may be passed: 0.01 in a file of float32 is below 0.01."""
TINY = float(np.nextafter(0, 1))


class Array(Collection[Map]):
    """Maps of numbers as fields: float32 in [-1, 1], by a stated scale that `Scale.to_physical` undoes.

    Args:
        image_size: side of the fields in pixels, or (H, W); maps are cut to that aspect and averaged.
        path: a file, or a folder of files; ``~`` is the home folder.
        axes: what the axes of every array mean, slowest first: ``HW``, ``HWC``, ``CHW``, ``NHW``, ``NHWC``
            or ``NCHW``.
        low: physical value at -1, or one for each channel; ``references``: the least of all references.
        high: physical value at 1, likewise; ``references``: the largest.
        scale: ``linear``, ``log10``, ``asinh`` or ``symlog``; see `Scale`.
        softening: see `Scale`.
        outside: ``refuse`` values outside [low, high], or ``clip`` them to it.
        channels: see `Maps`.
        fill: see `Maps`.
        crop: see `Maps`.
        entry: name of the array in an .npz, HDF5 or zarr, name or number of the HDU in a FITS file; None if
            there is one.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many maps; None keeps all.

    Raises:
        UserError: if a setting is out of range, a file cannot be read or has other axes, a value is not
            finite or lies outside the range, a channel is constant, or for what `Collection` refuses.
    """

    preparation: Maps

    def __init__(
        self,
        image_size: int | Sequence[int],
        path: str | Path,
        axes: str,
        low: End,
        high: End,
        scale: str = "linear",
        softening: float | None = None,
        outside: str = "refuse",
        channels: Channels = None,
        fill: float | None = None,
        crop: Sequence[int] | None = None,
        entry: str | int | None = None,
        seed: int | None = 0,
        limit: int | None = None,
    ) -> None:
        require_choice("domain.outside", outside, ("refuse", "clip"))
        if LEARNED not in (low, high):
            Scale(scale, low, high, softening)  # type: ignore[arg-type]  # which refuses what is no number
        super().__init__(image_size, ArraySource(path, axes, entry), Maps(channels, fill, crop), seed, limit)
        extremes = [self.preparation.extremes[self.where(*item)] for item in self._items()]
        self._least, self._most = (np.stack(ends) for ends in zip(*extremes, strict=True))
        flat = np.flatnonzero(self._least.min(axis=0) == self._most.max(axis=0)).tolist()
        chosen = self.preparation.chosen
        stored = [chosen[c] if isinstance(chosen, list) else c for c in flat]
        require(
            not flat,
            "every channel must vary",
            flat and f"{self._least[0, flat[0]]:g} everywhere in channel {stored[0]} of {self.source.place}",
            "Leave it out with domain.channels.",
        )
        n = self.size("references")
        if low == LEARNED:
            low = self._least[:n].min(axis=0).tolist()
            if scale == "log10":
                self._refuse(np.full(self.channels, TINY), np.full(self.channels, np.inf))
        if high == LEARNED:
            high = self._most[:n].max(axis=0).tolist()
        made = Scale(scale, low, high, softening)  # type: ignore[arg-type]
        self.preparation.scale = self.physical_scale = made
        require(
            made.channels in (1, self.channels),
            f"domain.low and domain.high must be one number, or one for each of {self.channels} channels",
            (low, high),
            "Check domain.channels.",
        )
        least, most = (np.broadcast_to(end, (self.channels,)) for end in (made.low, made.high))
        ends = least - abs(least) * ROUNDING, most + abs(most) * ROUNDING
        self._clipped = self._outside(*ends)[0] if outside == "clip" else self._refuse(*ends)

    def record(self) -> Json:
        """Also the scale, the range of the data, and how many values are clipped."""
        return super().record() | {
            **self.preparation.recipe(),
            "data_range": [self._least.min(axis=0).tolist(), self._most.max(axis=0).tolist()],
            "clipped": self._clipped,
            "cost": self._cost,
        }

    @cached_property
    def _cost(self) -> dict[str, float | str]:
        """What cutting, resizing and the scale did to the first references, in physical units.

        `cut`: share of the pixels that are left out. `resize`: change of the mean of the rest by averaging
        over areas. `scale`: root mean square of what float32 in [-1, 1] changes, in `unit`.
        """
        made, rows = self.preparation.scale, []
        low, high = (np.array(end)[:, None, None] for end in (made.low, made.high))
        for i in range(min(COSTED, self.size("references"))):
            read = self.source.read(self.name("references", i))
            values = np.clip(self.preparation.values(read), low, high)
            small, part = resized(values, self.sides), kept(values.shape[1:], self.sides)
            before = mean_within(values, part)
            made_of = torch.from_numpy(small)
            error = (made.stretched(made.to_unit(made_of)) - made.curve(made_of)).square().mean().sqrt()
            cut = 1 - part[0] * part[1] / read[0].size
            rows.append((cut, small.mean() / before - 1 if before else 0.0, float(error)))
        cut, resize, scale = np.mean(rows, axis=0).tolist()
        return {"cut": cut, "resize": resize, "scale": scale, "unit": made.unit, "n": len(rows)}

    def _items(self) -> list[tuple[Split, int]]:
        return [(split, i) for split in SPLITS for i in range(self.size(split))]

    def _refuse(self, low: Ends, high: Ends) -> int:
        """0, or `UserError` if values lie outside."""
        count, maps, first = self._outside(low, high)
        require(
            count == 0,
            f"values must lie between domain.low={shown(low)} and domain.high={shown(high)}",
            f"{count} outside, in {maps} map{'s' * (maps > 1)}; the first is {first}; all go from "
            f"{shown(self._least.min(axis=0))} to {shown(self._most.max(axis=0))}",
            "Widen the range in the unit of the data, choose domain.scale=asinh or symlog for values at or "
            "below 0, or have them clipped with domain.outside=clip.",
        )
        return 0

    def _outside(self, low: Ends, high: Ends) -> tuple[int, int, str]:
        """How many values lie outside, in how many maps, and where the first is; only these maps are read."""
        count, maps, first = 0, 0, ""
        beyond = np.any((self._least < low) | (self._most > high), axis=1)
        for item in (item for item, out in zip(self._items(), beyond.tolist(), strict=True) if out):
            values = self.preparation.values(self.source.read(self.name(*item)))
            at = np.argwhere((values < low[:, None, None]) | (values > high[:, None, None]))
            place = f"at [channel, row, column] {at[0].tolist()}"
            first = first or f"{values[tuple(at[0])]:g} in {self.where(*item)} {place}"
            count, maps = count + len(at), maps + 1
        return count, maps, first


def shown(ends: Ends) -> str:
    """One number, or one for each channel."""
    different = dict.fromkeys(f"{end:g}" for end in ends)
    return next(iter(different)) if len(different) == 1 else f"[{','.join(f'{end:g}' for end in ends)}]"
