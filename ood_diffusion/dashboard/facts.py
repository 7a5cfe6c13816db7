"""What the page knows of every run, as plain data."""

import math
import os
import shlex
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from ood_diffusion.claims.compare import drawn
from ood_diffusion.dashboard.gaps import GAP, gaps
from ood_diffusion.figures import Figure, at
from ood_diffusion.report.claim_words import verdicts
from ood_diffusion.report.collect.rows import shown, status
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word, differing
from ood_diffusion.report.declared import measured
from ood_diffusion.report.results import Results, Weights

AXES = ("eta", "level", "steps", "n_references")
"""Coordinates along which figures are drawn as curves."""
BESIDE = (
    *(
        "stage",
        "stages",
        "debug",
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
"""Settings that change no sample: by them runs are not told apart."""
Points = list[list[float]]
"""Each ``[x, value]`` or ``[x, value, low, high]``."""


class Facts(TypedDict):
    """One run, as the script of the page reads it."""

    folder: str
    status: str
    why: str
    at: dict[str, str]
    x: dict[str, float]
    figures: dict[str, list[float]]
    gap: list[float] | None
    curves: dict[str, Points]
    cost: dict[str, list[float | None]]
    memory: float | None
    claims: dict[str, str]
    weights: Weights
    versions: dict[str, str]
    config: dict[str, str]
    command: str
    path: str
    report: str
    tracked: str
    made: dict[str, Any]
    pictures: NotRequired[dict[str, list[int]]]


def facts(
    runs: Sequence[RunFolder],
    labels: Sequence[str],
    names: Sequence[str],
    equal: Mapping[str, Mapping[str, str]],
    page: Path,
) -> list[Facts]:
    """One entry per run.

    Args:
        runs: the runs.
        labels: where each lies, as the page calls it.
        names: coordinates by which runs are filtered and told apart.
        equal: figure -> what must be equal where it is compared -> its path in results.
        page: folder of the page.
    """
    paths = dict.fromkeys(path for each in equal.values() for path in each.values())
    return [
        {
            "folder": label,
            "status": status(run).word,
            "why": status(run).why,
            "at": {name: coordinate_word(run, name) for name in names},
            "x": {name: number for name in AXES if (number := on_axis(run, name)) is not None},
            "figures": comparable(run, path),
            "gap": gap or None,
            "curves": stage_curves(run.results),
            "cost": costs(run.results),
            "memory": at(run.results, "cost/peak_memory_mib"),
            "claims": dict(verdicts(run.results)),
            "weights": run.results.get("weights", {}),
            "versions": run.results.get("versions", {}),
            "config": settings(run),
            "command": run.command,
            "path": shlex.quote(shown(os.path.relpath(run.folder, page))),
            "report": link(run.folder / "report.html", page),
            "tracked": tracked(run.results),
            "made": {
                "draws": drawn(run),
                **{path: at(run.results, path) for path in paths},
            },
        }
        for run, label, (path, gap) in zip(runs, labels, gaps(runs), strict=True)
    ]


def link(path: Path, page: Path) -> str:
    """The relative address of a file from the folder of the page; empty if there is no such file."""
    if not path.is_file():
        return ""
    return urllib.parse.quote(os.fsencode(Path(os.path.relpath(path, page)).as_posix()))


def tracked(results: Results) -> str:
    """Address of the W&B run; empty if none was recorded, or it is no address."""
    found = at(results, "tracking/url")
    return found if isinstance(found, str) and found.startswith(("https://", "http://")) else ""


def coordinates(runs: Sequence[RunFolder]) -> list[str]:
    """Names by which the runs are told apart: model, domain, and whatever differs and changes samples."""
    differ = [name for name in differing(runs) if name.partition(".")[0] not in BESIDE]
    return list(dict.fromkeys(["model", "domain", *differ]))


def on_axis(run: RunFolder, name: str) -> float | None:
    """A coordinate as a number; None where it is none, such as a level that is still "auto"."""
    value = run.coordinate(name)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def comparable(run: RunFolder, gap: str) -> dict[str, list[float]]:
    """A run's figures with their intervals; the domain gap only from where `gap` says."""
    found = measured(run.results, "dashboard")
    if not at(run.results, gap):
        found.pop(GAP, None)
    return found


def costs(results: Results) -> dict[str, list[float | None]]:
    """Stage -> network calls and seconds."""
    cost = results.get("cost", {})
    calls, seconds = cost.get("network_calls", {}), cost.get("seconds", {})
    return {stage: [calls.get(stage), seconds.get(stage)] for stage in dict.fromkeys([*seconds, *calls])}


def stage_curves(results: Mapping[str, Any]) -> dict[str, Points]:
    """Name of a chart -> points of this run; one point, or none, is no curve and left out."""
    levels = at(results, "bandwidth/levels") or []
    recommended = at(results, "bandwidth/recommended")
    band = [point for each in levels if each["level"] == recommended for point in each["curve"]]
    found = {
        "few_shot": points(at(results, "few_shot/curve"), "n_references", "fid"),
        "bandwidth": points(levels, "level", "bandwidth"),
        "inside": points(band, "angle", "interval"),
        "capture": points(at(results, "interference/etas"), "eta", "capture"),
    }
    return {name: curve for name, curve in found.items() if len({x for x, *_ in curve}) > 1}


def points(curve: Iterable[Mapping[str, Any]] | None, x: str, y: str) -> Points:
    """Those of a curve in the results whose value is known."""
    told = Figure(f"{y}/value", interval=y)
    return [[each[x], *told.bounds(each)] for each in curve or () if told.bounds(each)]


def settings(run: RunFolder) -> dict[str, str]:
    """The full configuration as composed: choices of groups, then every setting by its dotted name."""
    choices = {name: str(value) for name, value in run.choices.items() if not name.startswith("hydra/")}
    return {**{f"{name} (group)": value for name, value in choices.items()}, **dotted(run.config)}


def dotted(config: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Settings by dotted name; lists as one text, empty sections as ``{}``."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= dotted(value, f"{prefix}{key}.")
        else:
            yaml = str(value).lower() if isinstance(value, bool) else str(value)
            found[f"{prefix}{key}"] = "null" if value is None else yaml
    return found


def share(entries: Sequence[Facts], name: Literal["config", "versions"]) -> dict[str, str]:
    """Take out of the entries' section `name` what all have alike, and return it: it is written once."""
    first = entries[0][name] if entries else {}
    alike = {k: v for k, v in first.items() if all(k in e[name] and e[name][k] == v for e in entries)}
    for entry in entries:
        entry[name] = {key: value for key, value in entry[name].items() if key not in alike}
    return alike
