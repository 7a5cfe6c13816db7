"""From results to the rows of the page's tables: every function leaves out what is missing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.results import Results
from ood_diffusion.report.wording import (
    ACCEPTANCE,
    GEOMETRY,
    MISSING,
    SETS,
    Word,
    metric_words,
    number,
    percent,
    spread,
)

SYMMETRIC = ("fid", "kid")
"""Metrics whose interval reaches as far up as down."""


@dataclass(frozen=True)
class Entry:
    """One table cell: a value and, under it in small type, what qualifies it."""

    value: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One table row; `word` explains the name where there is something to explain."""

    name: str
    entries: list[Entry]
    word: Word | None = None


@dataclass(frozen=True)
class Table:
    """Column names and, under them, rows of as many entries."""

    columns: list[str]
    rows: list[Row]

    def __bool__(self) -> bool:
        """False without rows: the section is then not shown."""
        return bool(self.rows)


def metric_table(results: Results) -> Table:
    """Sets as columns, metrics as rows; the extractor and both counts stand under every FID.

    Distances are given with half their 95 % interval, shares with the interval itself under them.
    """
    metrics = results.get("metrics", {})
    sets: dict[str, Mapping[str, Any]] = dict(metrics.get("sets", {}))  # type: ignore[arg-type]
    names = [name for name in SETS if name in sets] + [name for name in sets if name not in SETS]
    rows = [Row("n", [Entry(number(sets[name].get("n"))) for name in names])] if names else []
    for word in metric_words(metrics.get("better", {}), [key for name in names for key in sets[name]]):
        rows.append(Row(word.name, [judged(metrics, name, word) for name in names], word))
    return Table(names, rows)


def judged(metrics: Mapping[str, Any], name: str, word: Word) -> Entry:
    """One figure of one set with its 95 % interval, where there is one."""
    found, interval = metrics["sets"][name], metrics.get("intervals", {}).get(name, {}).get(word.key, {})
    value, low, high = found.get(word.key), interval.get("low"), interval.get("high")
    bounded = None not in (value, low, high)
    note = qualify(metrics, found) if word.key == "fid" else ""
    if word.key in SYMMETRIC:
        return Entry(plus_minus(value, (high - low) / 2) if bounded else number(value), note)
    return Entry(number(value), f"{low:.2f} to {high:.2f}" if bounded else note)


def plus_minus(value: float, half: float) -> str:
    """``105.6 ± 4.1``: half an interval with two digits, and the value with as many decimals."""
    if not half > 0:
        return number(value)
    decimals = max(1 - math.floor(math.log10(half)), 0)
    return f"{value:,.{decimals}f} ±\u00a0{half:,.{decimals}f}".replace("-", "−")


def geometry_table(results: Results) -> Table:
    """Latent geometry of references and samples beside the prediction for N(0, I)."""
    latents: dict[str, Mapping[str, Any]] = dict(results.get("latents", {}))  # type: ignore[arg-type]
    names = [name for name in ("references", "samples", "isotropic") if name in latents]
    rows = []
    for word in GEOMETRY:
        if any(f"{word.key}_mean" in latents[name] for name in names):
            unit = "°" if "angle" in word.key else ""
            pairs = [(latents[n].get(f"{word.key}_mean"), latents[n].get(f"{word.key}_sd")) for n in names]
            rows.append(Row(word.name, [Entry(spread(mean, sd, unit)) for mean, sd in pairs], word))
    return Table(["N(0, I) predicts" if name == "isotropic" else name for name in names], rows)


def selection_table(results: Results) -> Table:
    """Proposed and accepted draws, each test's acceptance, and the distance to the nearest reference."""
    sample = results.get("sample", {})
    acceptance = sample.get("acceptance", {})
    rows = [Row(key, [Entry(number(sample.get(key)))]) for key in ("proposed", "accepted") if key in sample]
    rows += [
        Row(word.name, [Entry(percent(acceptance.get(word.key)))], word)  # type: ignore[arg-type]
        for word in ACCEPTANCE
        if word.key in acceptance
    ]
    if "nearest_reference_latent" in sample:
        says = "of a draw, over the mean distance between references; 0 is a copy"
        word = Word("nearest", "nearest reference latent", "neither", says)
        rows.append(Row(word.name, [Entry(number(sample["nearest_reference_latent"]))], word))
    return Table(["value"], rows)


def novelty_table(results: Results) -> Table:
    """Feature distance to the nearest reference, for new samples and for unseen real images."""
    novelty = results.get("metrics", {}).get("novelty", {})
    words = (
        Word("generated", "new samples", "neither", "mean feature distance to the nearest reference"),
        Word("held_out", "held-out images", "neither", "the same for real images not given to the model"),
        Word("ratio", "ratio", "neither", "1: as new as unseen real images; well below 1: copying"),
        Word("copies", "copies", "lower", "share of new samples judged to be copies of a reference"),
    )
    rows = []
    for word in words:
        if word.key in novelty:
            value: Any = dict(novelty)[word.key]
            rows.append(
                Row(word.name, [Entry(percent(value) if word.key == "copies" else number(value))], word)
            )
    return Table(["value"], rows)


def cost_table(results: Results) -> Table:
    """Stages as rows: network calls, seconds, images per second."""
    cost: dict[str, Any] = dict(results.get("cost", {}))
    names = {"network_calls": "network calls", "seconds": "seconds", "images_per_second": "images/s"}
    keys = [key for key in names if cost.get(key)]
    stages = list(dict.fromkeys(stage for key in keys for stage in cost[key]))
    rows = [Row(stage, [Entry(number(cost[key].get(stage))) for key in keys]) for stage in stages]
    return Table([names[key] for key in keys], rows)


def weights_equal(results: Results) -> bool | None:
    """Whether the digests before and after are the same; None when either is unknown."""
    weights = results.get("weights", {})
    before, after = weights.get("before"), weights.get("after")
    return None if before is None or after is None else before == after


def qualify(metrics: Mapping[str, Any], judged: Mapping[str, Any]) -> str:
    """What a FID must never be quoted without: the extractor and both sample counts."""
    counts = f"{number(judged.get('n'))}\u00a0vs\u00a0{number(metrics.get('n_real'))}"  # one unbroken word
    return f"{metrics.get('extractor', MISSING)}, {counts}"


def data_lists(results: Results) -> dict[str, dict[str, str]]:
    """Domain -> its settings by their names in the configuration, and in words what is known of its data."""
    return {
        name.replace("_", " "): {
            _data_word(*path.split("/")): str(value) for path, value in flatten(found).items() if value != ""
        }
        for name, found in results.get("data", {}).items()
    }


def _data_word(first: str, *others: str) -> str:
    """A place in the data section of `results.json` as a reader knows it."""
    if first == "settings":
        return "class" if others == ("_target_",) else ".".join(others)
    said = {"n": "number", "copies": "duplicate files", "passed_over": "skipped files"}
    parts = others if first == "used" else (first, *others)
    return ": ".join(said.get(part, part.replace("_", " ")) for part in parts)
