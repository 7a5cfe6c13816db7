"""Physical values to what is shown, 0 black to 1 full, and back."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require, require_choice

SOFTENING = 0.1
"""Share of the range below which `asinh` is nearly linear; above, nearly logarithmic (Lupton et al. 1999)."""

LARGEST = 1e37
"""Values come back as float32, which ends at 3.4e38 and, without loss, at 1.2e-38."""

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Stretch(NamedTuple):
    """From the share x = (v - low) / (high - low) to what is shown, y, and back; both 0 to 1, both rising."""

    shown: Function
    share: Function


STRETCHES = {
    "linear": Stretch(lambda x: x, lambda y: y),
    "sqrt": Stretch(np.sqrt, np.square),
    "asinh": Stretch(
        lambda x: np.arcsinh(x / SOFTENING) / math.asinh(1 / SOFTENING),
        lambda y: SOFTENING * np.sinh(y * math.asinh(1 / SOFTENING)),
    ),
}
LOG10 = "log10"


class Scale:
    """A range of values and a stretch, one-to-one inside the range.

    ``log10`` shows log(v / low) / log(high / low); the others are in `STRETCHES`.

    Args:
        low: the value shown as 0; what lies below is shown as 0 too.
        high: the value shown as 1; what lies above is shown as 1 too.
        stretch: ``linear``, ``sqrt``, ``asinh`` or ``log10``.

    Raises:
        UserError: if the range is empty, beyond float32 or not positive for ``log10``, or the stretch is
            unknown.
    """

    def __init__(self, low: float, high: float, stretch: str) -> None:
        require_choice("domain.stretch", stretch, {*STRETCHES, LOG10})
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
        require(
            numbers and low < high and all(v == 0 or 1 / LARGEST <= abs(v) <= LARGEST for v in (low, high)),
            f"domain.low and domain.high must be numbers of at most {LARGEST:g}, low below high",
            (low, high),
            "These are the values displayed as black and as full; change the unit if they are too large.",
        )
        require(
            stretch != LOG10 or low > 0,
            "domain.low must be above 0 for domain.stretch=log10",
            low,
            "Set it to the smallest value worth seeing, or use domain.stretch=asinh.",
        )
        self.low, self.high, self.stretch = float(low), float(high), stretch

    def shown(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of any shape to 0 … 1; outside the range they are clipped to its ends."""
        clipped = np.clip(values, self.low, self.high)
        if self.stretch == LOG10:
            return np.log(clipped / self.low) / math.log(self.high / self.low)
        return STRETCHES[self.stretch].shown((clipped - self.low) / (self.high - self.low))

    def physical(self, shown: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is shown, 0 … 1, back to values in [low, high]."""
        if self.stretch == LOG10:
            return self.low * np.exp(shown * math.log(self.high / self.low))
        return self.low + (self.high - self.low) * STRETCHES[self.stretch].share(shown)
