"""Physical maps in .npy, .npz or FITS files."""

from pathlib import Path
from typing import Any

from torch import Tensor

from ood_diffusion.domains.arrays.maps import Maps
from ood_diffusion.domains.arrays.scale import Scale
from ood_diffusion.domains.arrays.source import ArraySource, Map
from ood_diffusion.domains.collection import Collection


class Array(Collection[Map]):
    """Maps of numbers as pictures, by a stated range and stretch that `to_physical` undoes.

    A value v inside [low, high] is shown as y: (v - low) / (high - low) for ``linear``, the square root of
    that for ``sqrt``, asinh(10 x) / asinh(10) of that for ``asinh``, log(v / low) / log(high / low) for
    ``log10``. A pixel is the nearest of 256 steps of y.

    Args:
        image_size: side of the pictures in pixels.
        path: a file, or a folder of files; ``~`` is the home folder.
        axes: what the axes of every array mean, slowest first: ``HW``, ``HWC``, ``CHW``, ``NHW``, ``NHWC``
            or ``NCHW``, with 1 or 3 channels C.
        low: physical value shown as black; for ``log10`` above 0.
        high: physical value shown as full.
        stretch: ``linear``, ``sqrt``, ``asinh`` or ``log10``.
        colours: of maps with one channel, ``grey`` or ``inferno``; three channels are red, green and blue.
        entry: name of the array in an .npz, name or number of the HDU in a FITS file; None if there is one.
        seed: of order and halves; None keeps the natural order of names.
        limit: at most this many maps; None keeps all.

    Raises:
        UserError: if a setting is out of range, a file cannot be read or has other axes, a value is not
            finite, all values lie outside [low, high], or for what `Collection` refuses. If only some lie
            outside, they are clipped and their share is logged as a warning.
    """

    def __init__(
        self,
        image_size: int,
        path: str | Path,
        axes: str,
        low: float,
        high: float,
        stretch: str = "linear",
        colours: str = "grey",
        entry: str | int | None = None,
        seed: int | None = 0,
        limit: int | None = None,
    ) -> None:
        self.maps = Maps(Scale(low, high, stretch), colours)
        super().__init__(image_size, ArraySource(path, axes, entry), self.maps, seed, limit)
        self.maps.census.report()

    def record(self) -> dict[str, Any]:
        """Also the range of the data beside the one that is shown, and how many values were clipped."""
        return super().record() | self.maps.census.record()

    def to_physical(self, picture: Tensor) -> Tensor:
        """The physical values that pictures show, of this domain or generated.

        A picture's own pixels are off by half of one of 255 steps of y at most: (high - low) / 510 for
        ``linear``, a factor (high / low)^(1/510) for ``log10``. Values outside [low, high] were clipped to
        its ends. Colours that a network made take the nearest colour of the map, or the mean of their
        three channels in ``grey``.

        Args:
            picture: uint8, or float in 0 … 255, shape ``[..., 3, H, W]``.

        Returns:
            float32, shape ``[..., H, W]``, or ``[..., 3, H, W]`` if the maps have three channels.
        """
        return self.maps.physical(picture)
