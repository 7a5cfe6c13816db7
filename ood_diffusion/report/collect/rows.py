"""Many runs, one table: what each found, and which of them are not complete and why."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ood_diffusion.report.collect.run_files import MULTIRUN, NOT_BEGUN, Unreadable
from ood_diffusion.report.collect.run_folder import RunFolder, walk
from ood_diffusion.report.collect.sweep_size import recipes, runs_of_sweep
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.results import PROVENANCE
from ood_diffusion.report.wording import counted

Scalar = bool | int | float | str | None
Line = dict[str, Scalar]
"""Of a table: column -> value."""


@dataclass(frozen=True)
class Status:
    """How far a run has come, and why it is not complete.

    Args:
        word: "complete", "failed", "refused", "unfinished", "damaged" or "other version".
        why: empty if it is complete.
    """

    word: str
    why: str = ""


@dataclass(frozen=True)
class Found:
    """What lies below folders.

    Args:
        runs: where each lies -> those begun; dry runs, which leave settings but no results, are none.
        refused: likewise, those that a user's mistake ended before they began: they count as nothing.
        not_begun: folder of a sweep -> how many of its runs have no folder yet, where there are any.
        unreadable: folder, or file of a sweep -> why it cannot be read.
    """

    runs: dict[str, RunFolder]
    refused: dict[str, RunFolder]
    not_begun: dict[Path, int]
    unreadable: dict[Path, str]

    @property
    def complete(self) -> bool:
        """Whether there are runs, and every one is there, can be read and is complete."""
        done = all(status(run).word == "complete" for run in self.runs.values())
        return bool(self.runs) and done and not self.not_begun and not self.unreadable

    def shortfalls(self) -> list[str]:
        """How many runs are complete, then the others and what cannot be read, each with the reason."""
        found = {label: status(run) for label, run in self.runs.items()}
        complete = sum(each.word == "complete" for each in found.values())
        lines = [
            f"{complete} of {len(found)} runs are complete." if found else "No run has begun.",
            *(f"{each.word}: run {label}: {each.why}" for label, each in found.items() if each.why),
            *(f"refused: run {label}: {status(run).why}" for label, run in self.refused.items()),
            *(f"not begun: {counted(count, 'run')} of {sweep}" for sweep, count in self.not_begun.items()),
            *(f"unreadable: {path}: {why}" for path, why in self.unreadable.items()),
        ]
        return list(map(shown, lines))


def find(*folders: Path) -> Found:
    """Look through folders, which may be runs themselves; what lies below several of them counts once."""
    runs: dict[str, RunFolder] = {}
    not_begun: dict[Path, int] = {}
    unreadable: dict[Path, str] = {}
    known: set[Path] = set()
    for folder in folders:
        walked = walk(folder)
        unreadable |= walked.unreadable
        begun = [
            each for each in walked.runs if each.results or each.damage or not each.config.get("dry_run")
        ]
        for run in begun:
            inside = run.folder.relative_to(folder)
            alone = len(folders) == 1 and inside.parts
            name = (inside if alone else Path(folder.resolve().name, inside)).as_posix()
            if (place := run.folder.resolve()) not in known:
                runs[name if name not in runs else f"{name} ({len(runs)})"] = run
                known.add(place)
        below: dict[Path, list[RunFolder]] = defaultdict(list)
        for run in begun:
            for parent in run.folder.parents:
                below[parent].append(run)
        for sweep in walked.sweeps:
            there = below[sweep]
            try:
                asked = runs_of_sweep(sweep / MULTIRUN) or []
            except Unreadable as error:
                unreadable[sweep / MULTIRUN] = str(error)
                continue
            begun_with = [run.overrides for run in there if run.contents.hydra]
            missing = {*recipes(asked, asked)} - {*recipes(begun_with, asked)}
            if (count := len(missing) - len(there) + len(begun_with)) > 0:  # the others are some of them
                not_begun[sweep.resolve()] = count
    refused = {name: run for name, run in runs.items() if status(run).word == "refused"}
    return Found({n: run for n, run in runs.items() if n not in refused}, refused, not_begun, unreadable)


def status(run: RunFolder) -> Status:
    """Complete is a run whose last attempt did not fail and whose every stage has its seconds on record."""
    if run.damage:
        return Status("other version" if run.contents.other_schema else "damaged", run.damage)
    if run.error:
        why = run.error.removesuffix(NOT_BEGUN)
        return Status("failed" if why == run.error else "refused", why.strip())
    stages, done = list(run.config.get("stages", [])), run.results.get("cost", {}).get("seconds", {})
    missing = [stage for stage in stages if stage not in done]
    if stages and not missing:
        return Status("complete")
    return Status(
        "unfinished", f"{len(stages) - len(missing)} of {len(stages)} stages done; running, or killed"
    )


def rows(runs: Mapping[str, RunFolder]) -> list[Line]:
    """One flat row per run: folder, status, coordinates by name, figures by path, why it is not complete."""
    names = dict.fromkeys(name for run in runs.values() for name in run.names)
    return [
        {
            "folder": shown(label),
            "status": status(run).word,
            **{name: scalar(run.coordinate(name)) for name in names},
            **figures(run.results),
            "why": status(run).why,
        }
        for label, run in runs.items()
    ]


def figures(results: Mapping[str, Any]) -> dict[str, float | int | str]:
    """Every figure by its path, as in W&B; which direction is better is no figure of the run."""
    flat = flatten(
        {name: found for name, found in results.items() if name not in ("coordinates", "schema", *PROVENANCE)}
    )
    return {name: value for name, value in flat.items() if not name.startswith("metrics/better/")}


def columns(table: Sequence[Line]) -> list[str]:
    """The columns of all rows, in the order in which they first appear, the last one last."""
    return sorted(dict.fromkeys(name for row in table for name in row), key=lambda name: name == "why")


def scalar(value: object) -> Scalar:
    """A value that fits into one field: lists as text."""
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def shown(name: object) -> str:
    """A name that can be written: a file's may have bytes that are no UTF-8."""
    return str(name).encode(errors="backslashreplace").decode()
