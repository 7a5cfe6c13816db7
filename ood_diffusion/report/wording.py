"""How numbers are called and written, once for the page and the terminal."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

MISSING = "—"


@dataclass(frozen=True)
class Word:
    """The name of one number, which direction is better, and what it says in one line."""

    key: str
    name: str
    better: Literal["lower", "higher", "neither"]
    says: str

    @property
    def arrow(self) -> str:
        """↓ for lower is better, ↑ for higher is better, empty otherwise."""
        return {"lower": "↓", "higher": "↑", "neither": ""}[self.better]


METRICS = (
    Word(
        "fid", "FID", "lower", "distance between the feature Gaussians of the set and of the held-out images"
    ),
    Word("kid", "KID", "lower", "the same question by a kernel, unbiased in n; may dip below 0"),
    Word("precision", "precision", "higher", "share of the set that looks like a held-out image"),
    Word("recall", "recall", "higher", "share of held-out images that the set could have made"),
    Word("density", "density", "higher", "how crowded by held-out images the set lies; may exceed 1"),
    Word("coverage", "coverage", "higher", "share of held-out images with an image of the set close by"),
)


def metric_words(better: Mapping[str, str], keys: Iterable[str]) -> list[Word]:
    """A word for every metric in `keys`: the known ones first, in their order, then any others by key.

    `better`: metric name -> "higher" or "lower", from `results.json`, for metrics not known here.
    """
    wanted = dict.fromkeys(key for key in keys if key != "n")
    known = [word for word in METRICS if word.key in wanted]
    others = [key for key in wanted if key not in {word.key for word in METRICS}]
    directions: dict[str, Literal["lower", "higher"]] = {"lower": "lower", "higher": "higher"}
    return known + [
        Word(key, key.replace("_", " "), directions.get(better.get(key, ""), "neither"), "") for key in others
    ]


SETS = ("samples", "reconstructions", "references")
GEOMETRY = (
    Word("norm", "norm", "neither", "distance from the origin"),
    Word("origin_angle", "angle at the origin", "neither", "between two latents, in degrees"),
    Word("pair_distance", "pair distance", "neither", "between two latents"),
    Word("vertex_angle", "angle at a vertex", "neither", "of a triangle of latents, in degrees"),
)
ACCEPTANCE = (
    Word("distance", "distance to references", "neither", "mean distance within the learned spread"),
    Word("origin_angle", "angle at the origin", "neither", "mean angle with references within the spread"),
    Word("pair_angle", "angle between references", "neither", "seen from the proposal"),
    Word("all", "all tests", "neither", "the share that is kept"),
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


def percent(share: float | None) -> str:
    """A share in [0, 1] as a percentage with three significant digits."""
    return (
        MISSING if share is None or not math.isfinite(share) else f"{number(float(f'{100 * share:.3g}'))} %"
    )


def spread(mean: float | None, sd: float | None, unit: str = "") -> str:
    """``mean ± sd unit``: three digits of the spread decide the digits of both; missing parts left out."""
    if mean is None or not math.isfinite(mean):
        return MISSING
    if sd is None or not math.isfinite(sd) or sd <= 0:
        return f"{number(mean)}{unit}"
    decimals = min(max(2 - math.floor(math.log10(sd)), 0), 6)
    return f"{mean:,.{decimals}f} ±\u00a0{sd:,.{decimals}f}{unit}".replace("-", "−")
