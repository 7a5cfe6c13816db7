"""What the page knows of every cell, as plain data."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ood_diffusion.claims.leaderboard import figure
from ood_diffusion.dashboard.figures import Bounded, bounds, figures
from ood_diffusion.dashboard.reproduce import command
from ood_diffusion.dashboard.stage_curves import stage_curves
from ood_diffusion.report.claim_words import verdicts
from ood_diffusion.report.collect.cells import CellFolder, coordinate_word, differing
from ood_diffusion.report.collect.rows import status

AXES = ("eta", "level", "steps", "n_references")
"""Coordinates along which figures are drawn as curves."""
PLACE = ("model", "domain", "extractor")
BESIDE = (
    *(
        "stage",
        "stages",
        "experiment",
        "sweep",
        "launcher",
        "trainer",
        "logger",
        "store",
        "data",
        "checkpoints",
    ),
    *("n_training", "training_domain", "training", "baseline"),
)
"""Settings that change no sample: by them cells are not told apart."""
Facts = dict[str, Any]


def facts(cells: Sequence[CellFolder], labels: Sequence[str], names: Sequence[str]) -> list[Facts]:
    """One entry per cell.

    Args:
        cells: the cells.
        labels: where each lies, as the page calls it.
        names: coordinates by which cells are filtered and told apart.
    """
    gaps = gap_by_place(cells)
    return [
        {
            "folder": label,
            "status": status(cell).word,
            "why": status(cell).why,
            "at": {name: coordinate_word(cell, name) for name in names},
            "x": {name: number for name in AXES if (number := on_axis(cell, name)) is not None},
            "figures": figures(cell.results),
            "gap": figures(cell.results).get("gap") or gaps.get(place(cell)),
            "curves": stage_curves(cell.results),
            "cost": costs(cell.results),
            "memory": figure(cell.results, "cost/peak_memory_mib"),
            "claims": dict(verdicts(cell.results)),
            "weights": cell.results.get("weights", {}),
            "versions": cell.results.get("versions", {}),
            "config": settings(cell),
            "command": command(cell),
        }
        for cell, label in zip(cells, labels, strict=True)
    ]


def coordinates(cells: Sequence[CellFolder]) -> list[str]:
    """Names by which the cells are told apart: model, domain, and whatever differs and changes samples."""
    differ = [name for name in differing(cells) if name.partition(".")[0] not in BESIDE]
    return list(dict.fromkeys(["model", "domain", *differ]))


def on_axis(cell: CellFolder, name: str) -> float | None:
    """A coordinate as a number; None where it is none, such as a level that is still "auto"."""
    value = cell.coordinate(name)
    return value if isinstance(value, int | float) else None


def place(cell: CellFolder) -> tuple[str, ...]:
    """What a domain gap belongs to: model, domain and features, with what was set inside them by hand.

    Domains of one name may be different folders of images.
    """
    inside = sorted(name for name in cell.overridden if name.partition(".")[0] in PLACE and "." in name)
    return (*(f"{name}={coordinate_word(cell, name)}" for name in (*PLACE, *inside)),)


def gap_by_place(cells: Sequence[CellFolder]) -> dict[tuple[str, ...], Bounded]:
    """Place -> its domain gap, for the cells that did not measure it themselves.

    FID falls as images become more, so that only the gaps from the most images count; of several, the mean.
    """
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        gap = figure(cell.results, "bandwidth/gap")
        if len(bounds(gap)) == 3:
            found.setdefault(place(cell), []).append(gap)
    most = {key: max(gap["n"] for gap in gaps) for key, gaps in found.items()}
    best = {key: [bounds(gap) for gap in gaps if gap["n"] == most[key]] for key, gaps in found.items()}
    return {key: [fmean(ends) for ends in zip(*gaps, strict=True)] for key, gaps in best.items()}


def costs(results: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """Stage -> network calls and seconds."""
    cost = results.get("cost", {})
    calls, seconds = cost.get("network_calls", {}), cost.get("seconds", {})
    return {stage: [calls.get(stage), seconds.get(stage)] for stage in dict.fromkeys([*seconds, *calls])}


def settings(cell: CellFolder) -> dict[str, str]:
    """The full configuration as composed: choices of groups, then every setting by its dotted name."""
    choices = {name: str(value) for name, value in cell.choices.items() if not name.startswith("hydra/")}
    return {**{f"{name} (group)": value for name, value in choices.items()}, **dotted(cell.config)}


def dotted(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by dotted name; lists as one text, empty sections as ``{}``."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= dotted(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = "null" if value is None else str(value)
    return found


def share(entries: Sequence[Facts], name: str) -> dict[str, Any]:
    """Take out of the entries' section `name` what all have alike, and return it: it is written once."""
    first = entries[0][name] if entries else {}
    alike = {k: v for k, v in first.items() if all(k in e[name] and e[name][k] == v for e in entries)}
    for entry in entries:
        entry[name] = {key: value for key, value in entry[name].items() if key not in alike}
    return alike
