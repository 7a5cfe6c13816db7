"""Figures measured side by side: the cases take turns in one process, and ratios are taken round by round."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One line of docs/benchmarks.md.

    Args:
        what: what was compared with what, in words.
        median: over the rounds.
        low: the least of the rounds.
        high: the greatest of the rounds.
        unit: "×", "MiB", "%", …
        target: the figure to reach, None where there is none.
        better: which side of the target is good.
        detail: absolute figures, for orientation.
    """

    what: str
    median: float
    low: float
    high: float
    unit: str = "×"
    target: float | None = None
    better: Literal["higher", "lower"] = "higher"
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None without a target."""
        if self.target is None:
            return None
        return self.median >= self.target if self.better == "higher" else self.median <= self.target


def figure(what: str, values: Sequence[float], **more: object) -> Figure:
    """A `Figure` of the median and the extremes of `values`, one per round."""
    return Figure(what, statistics.median(values), min(values), max(values), **more)  # type: ignore[arg-type]


def alternate(cases: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each case, `rounds` times in turn, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for counted in [False] + [True] * rounds:
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            if counted:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """How many times longer the first took, round by round."""
    return [a / b for a, b in zip(slow, fast, strict=True)]
