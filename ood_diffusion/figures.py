"""What a figure of a run is called, which way it is better, where it lies and where it is shown.

Whoever computes a figure declares it here, once: a metric in its `figures`, a stage in its. A run
writes the declarations into `results.json`, so that whatever reads that file (tables, the page, the
leaderboard, the dashboard, W&B) knows every figure without knowing its code.
"""

import functools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from ood_diffusion.checks import Json, require, require_choice

Better = Literal["lower", "higher", "neither"]
Surface = Literal["terminal", "report", "collect", "leaderboard", "tracking", "dashboard"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
"""The run's last table, its page, the two tables over many runs, W&B's table of runs, the dashboard."""
EVERYWHERE: frozenset[Surface] = frozenset(SURFACES)
SHARE = "share"
"""Unit of what lies in [0, 1]: written in percent where it stands alone."""


@dataclass(frozen=True)
class Figure:
    """A declaration.

    Args:
        path: of keys to the number in `results.json`, joined by "/". With ``*`` for any characters it stands
            for several numbers, which have a direction and are shown nowhere.
        name: of its column; by default the path's last key. Figures of one name are one column: of each run
            it has the first that the run has measured.
        label: what people read; by default the name without underscores.
        better: which direction is.
        unit: of the number; "share" for one in [0, 1].
        says: what it is, in one line.
        interval: path to its `Estimate`; empty if it has none.
        spread: path to its standard deviation over images; empty if it has none.
        of: the set of images it describes, a column of the run's table.
        surfaces: where it is shown; its direction is told to W&B in any case.

    Raises:
        UserError: if the path has an empty key, a word is not one of the above, or a pattern is to be shown.
    """

    path: str
    name: str = ""
    label: str = ""
    better: Better = "neither"
    unit: str = ""
    says: str = ""
    interval: str = ""
    spread: str = ""
    of: str = "samples"
    surfaces: frozenset[Surface] = EVERYWHERE

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            require(
                isinstance(value, str) or each.name == "surfaces",
                f"{each.name} of a figure must be text",
                value,
                "Put it in quotation marks.",
            )
        require(
            all(self.path.split("/")),
            "path of a figure must be keys joined by /",
            self.path,
            "Name its place in results.json, such as metrics/novelty/ratio.",
        )
        object.__setattr__(self, "name", self.name or self.path.split("/")[-1])
        object.__setattr__(self, "label", self.label or self.name.replace("_", " "))
        object.__setattr__(self, "surfaces", frozenset(self.surfaces))
        require_choice(f"better of the figure {self.name}", self.better, get_args(Better))
        for surface in self.surfaces:
            require_choice(f"a surface of the figure {self.name}", surface, SURFACES)
        require(
            not (self.surfaces and "*" in self.path),
            f"the figure {self.name}, which stands for several numbers, must have no surfaces",
            sorted(self.surfaces),
            "Give a path without * or surfaces=().",
        )

    @property
    def arrow(self) -> str:
        """↓ for lower is better, ↑ for higher is better, empty otherwise."""
        return {"lower": "↓", "higher": "↑", "neither": ""}[self.better]

    @property
    def title(self) -> str:
        """Label and unit."""
        return f"{self.label} ({self.unit})" if self.unit not in ("", SHARE) else self.label

    @property
    def head(self) -> str:
        """Of a column: the title and the arrow."""
        return f"{self.title} {self.arrow}".rstrip()

    def below(self, prefix: str, **changes: Any) -> "Figure":
        """The same below a section; `changes` of other arguments are made too."""
        return replace(self, path=f"{prefix}/{self.path}", **changes)

    def value(self, results: Mapping[str, Any]) -> float | None:
        """The number in these results; None if there is none."""
        return number_at(results, self.path)

    def bounds(self, results: Mapping[str, Any]) -> list[float]:
        """The number with the ends of its interval, if all of it is known; else alone, or nothing."""
        inside = (number_at(results, f"{self.interval}/{key}") for key in ("value", "low", "high"))
        estimate = [number for number in inside if number is not None]
        value = self.value(results)
        return estimate if len(estimate) == 3 else [] if value is None else [value]

    def as_json(self) -> Json:
        """What differs from the defaults, as JSON holds it."""
        default = {each.name: each.default for each in fields(self) if each.default is not MISSING}
        default |= {"name": self.path.split("/")[-1], "label": self.name.replace("_", " ")}
        found = {name: value for name, value in vars(self).items() if value != default.get(name)}
        return {**found, "surfaces": self._in_order()} if "surfaces" in found else found

    def _in_order(self) -> list[str]:
        return [surface for surface in SURFACES if surface in self.surfaces]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Figure":
        """What `as_json` wrote; keys of later versions are passed over."""
        known = {each.name: found[each.name] for each in fields(cls) if each.name in found}
        return cls(**known)


def read_figures(found: Sequence[Mapping[str, Any]]) -> Sequence[Figure]:
    """What a list of `Figure.as_json` says; the runs of a sweep declare the same ones, which are read once.

    Raises:
        UserError: as `Figure`.
    """
    return _read(json.dumps(found))


@functools.lru_cache(maxsize=64)
def _read(text: str) -> Sequence[Figure]:
    return tuple(map(Figure.from_json, json.loads(text)))


def require_one_meaning(figures: Sequence[Figure]) -> None:
    """Raise `UserError` if two figures have one name but not one label, direction and unit."""
    first: dict[str, Figure] = {}
    for each in figures:
        same = first.setdefault(each.name, each)
        require(
            (each.label, each.better, each.unit) == (same.label, same.better, same.unit),
            f"a name must stand for one figure, and {each.name!r} is {same.label!r} at {same.path}",
            f"{each.label!r} at {each.path}",
            "Give one of them another name.",
        )


def directions(figures: Iterable[Figure], paths: Iterable[str]) -> dict[str, Better]:
    """Path -> "lower" or "higher", for those of the paths of which one is better."""
    ways = [(each.path, each.better) for each in figures if each.better != "neither"]
    found = {path: next((way for known, way in ways if fnmatchcase(path, known)), None) for path in paths}
    return {path: way for path, way in found.items() if way is not None}


def at(results: Mapping[str, Any], path: str) -> Any:
    """What lies at a path of keys; None where there is nothing."""
    found: Any = results
    for key in path.split("/"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def number_at(results: Mapping[str, Any], path: str) -> float | None:
    """The finite number at a path of keys; None where there is none."""
    found = at(results, path)
    known = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return found if known else None
