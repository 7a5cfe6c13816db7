"""From results to the rows of the page's tables: every function leaves out what is missing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ood_diffusion.figures import SHARE, Figure, Surface, number_at
from ood_diffusion.report.declared import figures_of, known, whole
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.results import Results
from ood_diffusion.report.wording import (
    ACCEPTANCE,
    GEOMETRY,
    MISSING,
    SETS,
    number,
    percent,
    spread,
)

SAMPLES = "metrics/sets/samples/"
"""Where the metrics of the samples lie; those of other sets lie beside them and stand in the same row."""
DATA_WORDS = {
    "copies": "duplicate files",
    "digest": "digest of all files",
    "data_range": "range of the data",
    "clipped": "clipped values",
    "cost/cut": "cropped share of the pixels",
    "cost/resize": "change of the mean by resizing",
    "cost/scale": "rms error of the scale",
    "cost/unit": "unit of that error",
    "cost/n": "maps measured for it",
}
"""What is known of data, by its key in `results.json`."""


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
    word: Figure | None = None


@dataclass(frozen=True)
class Table:
    """Column names and, under them, rows of as many entries."""

    columns: list[str]
    rows: list[Row]

    def __bool__(self) -> bool:
        """False without rows: the section is then not shown."""
        return bool(self.rows)


def metric_table(results: Results, surface: Surface) -> Table:
    """Sets as columns, metrics as rows; the extractor and both counts stand under every number of the first.

    Where all intervals of a metric reach as far up as down, half of it stands beside the number; elsewhere
    its ends stand under it.
    """
    metrics = results.get("metrics", {})
    sets: dict[str, Mapping[str, Any]] = dict(metrics.get("sets", {}))  # type: ignore[arg-type]
    names = [name for name in SETS if name in sets]
    if surface != "terminal":  # which has no room for more
        names += [name for name in sets if name not in SETS]
    rows = [Row("n", [Entry(number(sets[name].get("n"))) for name in names])] if names else []
    told = [each for each in figures_of(results, surface) if each.path.startswith(SAMPLES)]
    for word in told:
        if any(word.path.removeprefix(SAMPLES) in sets[name] for name in names):
            notes = [qualify(metrics, sets[name]) if len(rows) == 1 else "" for name in names]
            rows.append(Row(word.title, judged(metrics, names, word, notes), word))
    return Table(names, rows)


def judged(
    metrics: Mapping[str, Any], names: Sequence[str], word: Figure, notes: Sequence[str]
) -> list[Entry]:
    """One figure of every set with its 95 % interval, where there is one, and a note."""
    sets, intervals = metrics["sets"], metrics.get("intervals", {})
    key = word.path.removeprefix(SAMPLES)
    inside = Figure(f"found/{key}", interval=f"interval/{key}")
    found = [inside.bounds({"found": sets[x], "interval": intervals.get(x, {})}) for x in names]
    if all(map(even, found)):
        return [Entry(plus_minus(each), note) for each, note in zip(found, notes, strict=True)]
    write = "{:.2f}".format if word.unit == SHARE else number
    ends = [[" to ".join(map(write, each[1:]))] * (len(each) == 3) for each in found]
    return [
        Entry(number(value), "; ".join([*end, *[note] * bool(note)]))
        for value, end, note in zip((sets[name].get(key) for name in names), ends, notes, strict=True)
    ]


def even(bounds: Sequence[float]) -> bool:
    """Whether an interval reaches as far up as down; what has none does."""
    if len(bounds) < 3:
        return True
    value, low, high = bounds
    return abs((high - value) - (value - low)) <= 1e-6 * (high - low)


def other_table(results: Results) -> Table:
    """The figures of the page that are no metrics of a set: value, and under it the ends of its interval."""
    results = cast(Results, whole(results))
    rows = [
        Row(
            word.label,
            [Entry(written(word, results), ends(word, results))],
            word,
        )
        for word in known(results, "report").values()
        if not word.path.startswith(SAMPLES)
    ]
    return Table(["value"], rows)


def ends(figure: Figure, results: Mapping[str, Any]) -> str:
    """The ends of a figure's interval in its own unit, where `written` does not say them already."""
    bounds = figure.bounds(results)
    if figure.unit == SHARE:
        return " to ".join(map(percent, bounds[1:]))
    return "" if even(bounds) else " to ".join(map(number, bounds[1:]))


def written(figure: Figure, results: Mapping[str, Any]) -> str:
    """A figure that stands alone: with half its interval or its spread over images, if any, and its unit."""
    results = whole(results)
    value = figure.value(results)
    unit = f"\u00a0{figure.unit}" if figure.unit else ""
    if figure.spread:
        return spread(value, number_at(results, figure.spread), unit)
    if figure.unit == SHARE:
        return percent(value)
    bounds = figure.bounds(results)
    return (plus_minus(bounds) if even(bounds) else number(value)) + unit


def plus_minus(bounds: Sequence[float]) -> str:
    """``105.6 ± 4.1`` from a value and the ends of its interval, if it has one: half the interval with two
    digits, and the value with as many decimals.
    """
    half = (bounds[2] - bounds[1]) / 2 if len(bounds) == 3 else 0
    if not half > 0:
        return number(bounds[0] if bounds else None)
    decimals = max(1 - math.floor(math.log10(half)), 0)
    return f"{bounds[0]:,.{decimals}f} ±\u00a0{half:,.{decimals}f}".replace("-", "−")


def geometry_table(results: Results) -> Table:
    """Latent geometry of references and samples beside the prediction for N(0, I)."""
    latents: dict[str, Mapping[str, Any]] = dict(results.get("latents", {}))  # type: ignore[arg-type]
    names = [name for name in ("references", "samples", "isotropic") if name in latents]
    rows = []
    for word in GEOMETRY:
        if any(f"{word.path}_mean" in latents[name] for name in names):
            unit = "°" if "angle" in word.path else ""
            pairs = [(latents[n].get(f"{word.path}_mean"), latents[n].get(f"{word.path}_sd")) for n in names]
            rows.append(Row(word.label, [Entry(spread(mean, sd, unit)) for mean, sd in pairs], word))
    return Table(["N(0, I) predicts" if name == "isotropic" else name for name in names], rows)


def selection_table(results: Results) -> Table:
    """Proposed and accepted draws, each test's acceptance, and the distance to the nearest reference."""
    sample = results.get("sample", {})
    acceptance = sample.get("acceptance", {})
    rows = [Row(key, [Entry(number(sample.get(key)))]) for key in ("proposed", "accepted") if key in sample]
    rows += [
        Row(word.label, [Entry(percent(acceptance.get(word.path)))], word)  # type: ignore[arg-type]
        for word in ACCEPTANCE
        if word.path in acceptance
    ]
    if "nearest_reference_latent" in sample:
        says = "of a draw, over the mean distance between references; 0 is a copy"
        word = Figure("nearest", label="nearest reference latent", says=says)
        rows.append(Row(word.label, [Entry(number(sample["nearest_reference_latent"]))], word))
    return Table(["value"], rows)


def novelty_table(results: Results) -> Table:
    """Feature distance to the nearest reference, for new samples and for unseen real images."""
    novelty = results.get("metrics", {}).get("novelty", {})
    words = (
        Figure("generated", label="new samples", says="mean feature distance to the nearest reference"),
        Figure("held_out", label="held-out images", says="the same for real images not given to the model"),
        Figure("ratio", says="1: as new as unseen real images; well below 1: copying"),
        Figure(
            "copies",
            label="near-copies",
            better="lower",
            says="share closer to a reference than 99 % of unseen images are",
        ),
    )
    rows = []
    for word in words:
        if word.path in novelty:
            value: Any = dict(novelty)[word.path]
            rows.append(
                Row(word.label, [Entry(percent(value) if word.path == "copies" else number(value))], word)
            )
    return Table(["value"], rows)


def cost_table(results: Results) -> Table:
    """Stages as rows: network calls, seconds, images per second."""
    cost: Mapping[str, Any] = results.get("cost", {})
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
            data_word(*path.split("/")): str(value)
            for path, value in flatten(found).items()
            if value != "" and path != "maps"  # a version
        }
        for name, found in results.get("data", {}).items()
    }


def data_word(first: str, *others: str) -> str:
    """What a place in the data section of `results.json` is called."""
    inside = [each.replace("held_out", "held-out images") for each in others]
    if first == "settings":
        return ".".join("class" if each == "_target_" else each for each in others)
    if first == "used":
        return f"{inside[0]} used" if inside[1] == "n" else f"digest of the {inside[0]} used"
    if first == "pictures":
        return f"{inside[0]} available"
    if first == "passed_over":
        return f"skipped files: {others[0]}"
    place = "/".join((first, *others))
    return DATA_WORDS.get(place, place.replace("_", " ").replace("/", ": "))


def story(results: Results) -> str:
    """Say in one sentence what was done, from as much of the run as is known."""
    used = results.get("coordinates", {})
    count, domain = used.get("n_references"), used.get("domain", "an unseen domain")
    shown = f"{number(count)} images" if count is not None else "images"
    level = f" to level {number(used['level'])}" if "level" in used else ""
    text = f"The frozen model {used.get('model', '')} inverted {shown} of {domain}{level}".replace("  ", " ")
    if "sampler" not in used:
        return f"{text}."
    draws = f"{number(used['n_samples'])} new latents" if "n_samples" in used else "new latents"
    return f"{text}; from these the sampler {used['sampler']} made {draws}, and the model denoised them."


def headlines(results: Results) -> list[Row]:
    """The handful of numbers to read first; the name and one entry each."""
    rows: list[Row] = []
    if (psnr := results.get("reconstruct", {})).get("psnr_mean") is not None:
        worst = f"worst {number(psnr.get('psnr_min'))}, n = {number(psnr.get('n'))}"
        note = f"± {number(psnr.get('psnr_sd'))} dB, {worst}"
        rows.append(Row("round-trip PSNR", [Entry(f"{number(psnr['psnr_mean'])} dB", note)]))
    if physical := results.get("reconstruct", {}).get("physical"):
        unit, share = physical["unit"], percent(physical["share_of_sd"])
        note = f"± {number(physical['rms_sd'])} {unit}, {share} of the standard deviation"
        note += f"; mean value {100 * physical['flux']:+.2g} %"
        found = f"{number(physical['rms'])} {unit}"
        rows.append(Row("round-trip error, rms", [Entry(found, note)]))
    metrics = results.get("metrics", {})
    samples = metrics.get("sets", {}).get("samples", {})
    if "fid" in samples:
        rows.append(Row("FID of new samples", [Entry(number(samples["fid"]), qualify(metrics, samples))]))
    if fid := metrics.get("network_adds", {}).get("twin", {}).get("fid"):
        note = f"95 %: {number(fid['low'])} to {number(fid['high'])}; below 0 the network helps"
        rows.append(Row("FID minus twin", [Entry(number(fid["value"]), note)]))
    if "coverage" in samples:
        rows.append(Row("coverage", [Entry(number(samples["coverage"]), "of held-out images, 0 to 1")]))
    novelty = metrics.get("novelty", {})
    if "copies" in novelty:
        rows.append(Row("near-copies", [Entry(percent(novelty["copies"]), "of new samples")]))
    return rows
