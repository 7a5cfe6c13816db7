"""Many cells, one table: what each found, and which of them are not complete and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ood_diffusion.report.collect.cells import CellFolder, find_cells, walk
from ood_diffusion.report.collect.sweep_size import cells_of_sweep
from ood_diffusion.report.flatten import flatten


@dataclass(frozen=True)
class Status:
    """How far a cell has come: "complete", "failed" or "unfinished", and why it is not complete."""

    word: str
    why: str = ""


def status(cell: CellFolder) -> Status:
    """Complete is a cell whose last attempt did not fail and whose every stage has its seconds on record."""
    if cell.error:
        return Status("failed", cell.error)
    stages, done = list(cell.config.get("stages", [])), cell.results.get("cost", {}).get("seconds", {})
    missing = [stage for stage in stages if stage not in done]
    if stages and not missing:
        return Status("complete")
    return Status(
        "unfinished", f"{len(stages) - len(missing)} of {len(stages)} stages done; running, or killed"
    )


def begun(folder: Path) -> list[CellFolder]:
    """The cells below `folder`; dry runs, which leave settings but no results, are none."""
    return [cell for cell in find_cells(folder) if cell.results or not cell.config.get("dry_run")]


def not_begun(folder: Path, cells: Sequence[CellFolder]) -> dict[Path, int]:
    """Folder of a sweep -> how many of its cells have no folder yet, for sweeps where there are any."""
    counts = {}
    for sweep in walk(folder):
        expected = cells_of_sweep(sweep / "multirun.yaml") or 0
        there = sum(sweep in cell.folder.parents for cell in cells)
        if there < expected:
            counts[sweep] = expected - there
    return counts


def rows(folder: Path, cells: Sequence[CellFolder]) -> list[dict[str, Any]]:
    """One flat row per cell: folder, status, coordinates by name, figures by path, why it is not complete."""
    names = dict.fromkeys(name for cell in cells for name in cell.names)
    return [
        {
            "folder": cell.folder.relative_to(folder).as_posix(),
            "status": status(cell).word,
            **{name: scalar(cell.coordinate(name)) for name in names},
            **figures(cell.results),
            "why": status(cell).why,
        }
        for cell in cells
    ]


def figures(results: Mapping[str, Any]) -> dict[str, float | int | str]:
    """Every figure by its path, as in W&B; which direction is better is no figure of the cell."""
    flat = flatten({section: found for section, found in results.items() if section != "cell"})
    return {name: value for name, value in flat.items() if not name.startswith("metrics/better/")}


def columns(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of all rows, in the order in which they first appear, the last one last."""
    return sorted(dict.fromkeys(name for row in table for name in row), key=lambda name: name == "why")


def scalar(value: Any) -> Any:
    """A value that fits into one field: lists as text."""
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
