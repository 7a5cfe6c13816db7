"""Physical values to the range of a network, [-1, 1], and back."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ood_diffusion.checks import require, require_choice
from ood_diffusion.source import Recipe

LARGEST = 1e37
"""float32 ends at 3.4e38 and, without loss, at 1.2e-38."""
SOFTENING = 0.1
"""Share of the larger end of the range below which ``asinh`` and ``symlog`` are nearly linear."""


class Curve(NamedTuple):
    """A rising function of a value and the softening, and its inverse."""

    of: Callable[[Tensor, Tensor], Tensor]
    back: Callable[[Tensor, Tensor], Tensor]


CURVES = {
    "linear": Curve(lambda v, s: v, lambda u, s: u),
    "log10": Curve(lambda v, s: v.log10(), lambda u, s: 10**u),
    "asinh": Curve(lambda v, s: (v / s).asinh(), lambda u, s: s * u.sinh()),
    "symlog": Curve(
        lambda v, s: v.sign() * (1 + v.abs() / s).log10(), lambda u, s: u.sign() * s * (10 ** u.abs() - 1)
    ),
}


class Scale:
    r"""A range of values and a curve g, the same for all channels or with a range for each.

    A value v becomes :math:`2\,(g(v)-g(low))/(g(high)-g(low)) - 1`, with g(v) = v for ``linear``, log10 v for
    ``log10``, asinh(v/s) for ``asinh`` and sign(v) log10(1 + \|v\|/s) for ``symlog``. All is computed in
    float64 and nothing is clipped: values outside the range leave [-1, 1] and come back.

    Args:
        kind: ``linear``, ``log10``, ``asinh`` or ``symlog``.
        low: the value at -1, or one for each channel.
        high: the value at 1, likewise.
        softening: s > 0; None: a tenth of the larger of \|low\| and \|high\|.

    Raises:
        UserError: if a range is empty, beyond float32 or not positive for ``log10``, or the kind is unknown.

    Examples:
        >>> import torch
        >>> scale = Scale("log10", 0.01, 100)
        >>> unit = scale.to_unit(torch.tensor([[[0.01, 1.0, 100.0]]]))
        >>> unit
        tensor([[[-1.,  0.,  1.]]])
        >>> scale.to_physical(unit)
        tensor([[[1.0000e-02, 1.0000e+00, 1.0000e+02]]], dtype=torch.float64)
    """

    def __init__(
        self,
        kind: str,
        low: float | Sequence[float],
        high: float | Sequence[float],
        softening: float | None = None,
    ) -> None:
        require_choice("domain.scale", kind, CURVES)
        lows, highs = ([*end] if isinstance(end, Sequence) else [end] for end in (low, high))
        n = max(len(lows), len(highs))
        lows, highs = (end * (n if len(end) == 1 else 1) for end in (lows, highs))
        fits = len(lows) == len(highs) and all(
            type(v) in (int, float) and (v == 0 or 1 / LARGEST <= abs(v) <= LARGEST) for v in lows + highs
        )
        require(
            fits,
            f"domain.low and domain.high must be 0 or numbers from {1 / LARGEST:g} to {LARGEST:g} in size, "
            "or one for each channel",
            (low, high),
            "These are the physical values at -1 and 1; change the unit if they are too large or too small.",
        )
        require(
            all(a < b for a, b in zip(lows, highs, strict=True)),
            "domain.low must be below domain.high",
            (low, high),
            "These are the physical values at -1 and 1.",
        )
        require(
            kind != "log10" or min(lows) > 0,
            "domain.low must be above 0 for domain.scale=log10",
            low,
            "Set it to the smallest value that matters, or use domain.scale=asinh.",
        )
        positive = softening is None or (type(softening) in (int, float) and softening > 0)
        require(
            positive,
            "domain.softening must be null or above 0",
            softening,
            "Try the noise level.",
        )
        self.kind = kind
        self.low, self.high = [float(v) for v in lows], [float(v) for v in highs]
        self.softening = [
            SOFTENING * max(abs(a), abs(b)) if softening is None else float(softening)
            for a, b in zip(self.low, self.high, strict=True)
        ]

    @property
    def channels(self) -> int:
        """For how many channels it has ranges; 1: for any number."""
        return len(self.low)

    def recipe(self) -> Recipe:
        """All of it, as JSON."""
        return {"scale": self.kind, "low": self.low, "high": self.high, "softening": self.softening}

    def to_unit(self, values: Tensor) -> Tensor:
        """Physical values ``[..., C, H, W]`` of any real dtype -> float32, same shape."""
        s, start, length = self._parts()
        return (2 * (CURVES[self.kind].of(values.double(), s) - start) / length - 1).float()

    def to_physical(self, unit: Tensor) -> Tensor:
        """Float in [-1, 1] ``[..., C, H, W]``, on the CPU -> float64 physical values, same shape.

        `to_unit` of them is `unit` again to 1e-14: the same float32 wherever it is above 1e-6 in size.
        """
        s, start, length = self._parts()
        return CURVES[self.kind].back((unit.double() + 1) / 2 * length + start, s)

    @property
    def unit(self) -> str:
        """Of `stretched` values: decades on all but a linear scale (above the softening)."""
        return "data units" if self.kind == "linear" else "dex"

    def stretched(self, unit: Tensor) -> Tensor:
        r"""Float in [-1, 1] ``[..., C, H, W]``, on the CPU -> float64: g of the physical values, in decades
        unless it is linear: log10 v, sign(v) log10(1 + \|v\|/s), asinh(v/s)/ln 10."""
        _, start, length = self._parts()
        return self._in_decades((unit.double() + 1) / 2 * length + start)

    def curve(self, values: Tensor) -> Tensor:
        """The same of physical values of any real dtype, ``[..., C, H, W]``."""
        return self._in_decades(CURVES[self.kind].of(values.double(), self._parts()[0]))

    def flux(self, unit: Tensor) -> Tensor:
        """Float in [-1, 1] -> the share of the range on a linear scale: 0 at low, 1 at high; float32."""
        low, high = (torch.tensor(end, dtype=torch.float64).view(-1, 1, 1) for end in (self.low, self.high))
        return ((self.to_physical(unit) - low) / (high - low)).float()

    def _in_decades(self, curve: Tensor) -> Tensor:
        return curve / math.log(10) if self.kind == "asinh" else curve

    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        low, high, s = (
            torch.tensor(part, dtype=torch.float64).view(-1, 1, 1)
            for part in (self.low, self.high, self.softening)
        )
        start = CURVES[self.kind].of(low, s)
        return s, start, CURVES[self.kind].of(high, s) - start
