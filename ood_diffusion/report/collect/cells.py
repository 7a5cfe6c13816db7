"""The cells below a folder: what Hydra, the run and its failure left there, read while others still run."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import yaml

from ood_diffusion.checks import UserError
from ood_diffusion.report.results import Cell as Knobs
from ood_diffusion.report.wording import MISSING

CONFIG = Path(".hydra", "config.yaml")
"""Where Hydra writes a cell's configuration before the cell begins."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it: ten times as fast, and a sweep has hundreds of files."""


@dataclass(frozen=True)
class CellFolder:
    """One run or one cell of a sweep.

    Args:
        folder: its output folder; `.hydra/config.yaml` is in it.
    """

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed configuration, interpolations as they stand."""
        return dict(read_yaml(self.folder / CONFIG))

    @cached_property
    def choices(self) -> dict[str, Any]:
        """The choice made in every configuration group."""
        hydra = read_yaml(self.folder / ".hydra" / "hydra.yaml").get("hydra", {})
        return cast(dict[str, Any], hydra.get("runtime", {}).get("choices", {}))

    @cached_property
    def overridden(self) -> list[str]:
        """The keys that the command line or the sweep set, without ``+`` and package."""
        lines = list(read_yaml(self.folder / ".hydra" / "overrides.yaml"))
        return [re.split("[=@]", line.lstrip("+~"))[0] for line in lines]

    @cached_property
    def results(self) -> dict[str, Any]:
        """`results.json` as it is now; empty before the first stage. `UserError` if it is damaged."""
        path = self.folder / "results.json"
        try:
            return cast(dict[str, Any], json.loads(path.read_text())) if path.exists() else {}
        except ValueError as error:  # a run writes it whole: something else has cut it
            raise UserError(f"{path} is damaged ({error}). Run the cell again, or move it away.") from None

    @cached_property
    def error(self) -> str:
        """Why the last attempt failed; empty if it did not."""
        path = self.folder / "error.txt"
        return path.read_text().strip() if path.exists() else ""

    @cached_property
    def names(self) -> list[str]:
        """Of its coordinates: every group, every knob, and what else was overridden, by dotted name; what is
        printed (`output`) is none.
        """
        known = self.results.get("cell", Knobs.__annotations__)
        return [name for name in dict.fromkeys([*known, *self.overridden]) if name != "output"]

    def coordinate(self, name: str) -> Any:
        """A group's choice or the value of a setting, as the run used it; None if there is no such thing."""
        if name in (cell := self.results.get("cell", {})):
            return cell[name]
        value: Any = self.config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return self.choices.get(name) if value is None or isinstance(value, dict) else value


def find_cells(root: Path) -> list[CellFolder]:
    """Every folder below `root` (or itself) in which a cell was begun, in natural order: 2 before 10."""
    found = [CellFolder(folder) for folder in walk(root) if (folder / CONFIG).exists()]
    return sorted(found, key=lambda cell: natural(str(cell.folder)))


def walk(root: Path) -> Iterator[Path]:
    """`root` and the folders below it, but for hidden ones and those inside a cell or a store."""
    for folder, children, files in os.walk(root):
        closed = "recipe.json" in files or (Path(folder) / CONFIG).exists()
        children[:] = [] if closed else [child for child in children if not child.startswith(".")]
        yield Path(folder)


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts runs of digits by their value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def differing(cells: Sequence[CellFolder]) -> list[str]:
    """The coordinates in which the cells are not all alike, in the order of the first cell's."""
    names = dict.fromkeys(name for cell in cells for name in cell.names)
    return [name for name in names if len({word(cell.coordinate(name)) for cell in cells}) > 1]


def coordinate_word(cell: CellFolder, name: str) -> str:
    """A coordinate as text; `MISSING` where the cell has no such thing."""
    value = cell.coordinate(name)
    return MISSING if value is None else word(value)


def word(value: Any) -> str:
    """A coordinate as text, the same for 0 and 0.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def read_yaml(path: Path) -> Any:
    """A YAML file as plain Python; an empty dictionary if it is not there, or only in part."""
    try:
        found = yaml.load(path.read_text(), LOADER)
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict | list) else {}
