"""How numbers are called and written, once for the page and the terminal."""

import math
from numbers import Integral, Real
from typing import Any

from ood_diffusion.figures import Figure

MISSING = "—"
DECIMALS = 6
"""Of numbers without an exponent, at most."""


SETS = ("samples", "twin", "reconstructions", "references")
GEOMETRY = (
    Figure("norm", says="distance from the origin"),
    Figure("origin_angle", label="angle at the origin", says="between two latents, in degrees"),
    Figure("pair_distance", says="between two latents"),
    Figure("vertex_angle", label="angle at a vertex", says="of a triangle of latents, in degrees"),
)
ACCEPTANCE = (
    Figure("distance", label="distance to references", says="mean distance within the learned spread"),
    Figure("origin_angle", label="angle at the origin", says="mean angle with references within the spread"),
    Figure("pair_angle", label="angle between references", says="seen from the proposal"),
    Figure("all", label="all tests", says="the share that is kept"),
)
FID_WARNING = (
    "FIDs with different extractors or sample counts cannot be compared, and FID at small n is biased upward."
)


def number(value: Any) -> str:
    """Four significant digits, thousands separated; on or off; an em dash for missing or infinite values."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Integral):
        return f"{int(value):,}".replace("-", "−")
    if isinstance(value, Real):
        real = float(value)
        text = f"{real:,.0f}" if abs(real) >= 1000 else f"{real:.4g}"
        return (text.replace("-", "−", 1) if real < 0 else text) if math.isfinite(real) else MISSING
    return MISSING if value is None else str(value)


def counted(n: int, what: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage with three significant digits."""
    return (
        MISSING if share is None or not math.isfinite(share) else f"{number(float(f'{100 * share:.3g}'))} %"
    )


def spread(mean: float | None, sd: float | None, unit: str = "") -> str:
    """``mean ± sd unit``: three digits of the spread decide the digits of both, where these are at most six
    decimals; missing parts and a spread of rounding alone left out."""
    if mean is None or not math.isfinite(mean):
        return MISSING
    if sd is None or not math.isfinite(sd) or sd <= 1e-15 * abs(mean):
        return f"{number(mean)}{unit}"
    decimals = max(2 - math.floor(math.log10(sd)), 0)
    if decimals > DECIMALS:
        return f"{number(mean)} ±\u00a0{number(float(f'{sd:.3g}'))}{unit}"
    return f"{mean:,.{decimals}f} ±\u00a0{sd:,.{decimals}f}{unit}".replace("-", "−")
