"""Runs against the first of them: settings that differ, and figures with the interval of their difference."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.claims.combined import minus
from ood_diffusion.figures import Figure, Surface, at, number_at
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word, differing, word
from ood_diffusion.report.declared import columns, known, whole
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.influences import FILE, Influences, read
from ood_diffusion.report.results import Results
from ood_diffusion.report.wording import MISSING
from ood_diffusion.statistics.estimate import Estimate

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SURFACE: Surface = "dashboard"
"""Its figures are compared."""
BESIDE = ("store", "logger", "output", "dry_run", "trainer", "stage", "stages")
"""Settings that change no figure."""
ANY_FEATURES = ("reconstruct/", "sample/", "metrics/making/")
"""Where figures lie that no feature extractor has seen."""
ANY_NUMBER = ("metrics/novelty/", "metrics/making/")
"""Where those of the metrics lie that do not depend on how many images there are."""
COUNTED = ("bandwidth/gap/", "interference/training_domain/")
"""Where FIDs lie outside the metrics: they depend on how many images there are, as their intervals say."""
PROPOSED = ("model", "level", "solver", "grid", "steps", "prior", "sampler")
"""What a selection's proposals depend on, beside the seed and the references."""
SHARED = {"held_out": "held-out images", "references": "references"}
"""Images that two runs may have in common -> what people call them."""
DIGITS = 12
"""Of a digest, where people compare it."""


@dataclass(frozen=True)
class Run:
    """A run that is compared.

    Args:
        letter: what it is called here.
        files: what it left.
        results: what it found, figures declared.
        figures: by name, those that it has measured.
        influences: what single images change in them, as far as the run has left that.
    """

    letter: str
    files: RunFolder
    results: Results
    figures: Mapping[str, Figure]
    influences: Influences

    def digest(self, images: str) -> str:
        """Of the references or held-out images that the run used; empty where it is not recorded."""
        return str(at(self.results, f"data/domain/used/{images}/digest") or "")


@dataclass(frozen=True)
class Difference:
    """A figure of a run minus that of the first.

    Args:
        bounds: the difference and, where they are known, the ends of its 95 % interval; empty where the
            figures must not be compared.
        how: which interval it is, or why there is none.
    """

    bounds: tuple[float, ...]
    how: str


def runs_of(folders: Sequence[RunFolder]) -> list[Run]:
    """The runs, called A, B, …; at most `LETTERS`."""
    return [
        Run(letter, left, cast(Results, whole(left.results)), known(left.results, SURFACE), read(left.folder))
        for letter, left in zip(LETTERS, folders, strict=False)
    ]


def measured_by(runs: Sequence[Run]) -> dict[str, Figure]:
    """Name -> figure, of those that any of the runs has measured."""
    told = columns([run.results for run in runs], SURFACE)
    return {name: each for name, each in told.items() if any(name in run.figures for run in runs)}


def settings(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Name -> the value of each run, of every setting, version and set of images in which they differ.

    What belongs to a choice that differs is left out unless it was set by hand: the choice says it.
    """
    folders = [run.files for run in runs]
    names = differing(folders)
    found = {name: [coordinate_word(each, name) for each in folders] for name in names}
    told = [
        {key.replace("/", "."): word(value) for key, value in flatten(left.config).items()}
        for left in folders
    ]
    beside = {*names, *BESIDE}
    for key in dict.fromkeys(key for each in told for key in each):
        if key not in beside and key.partition(".")[0] not in beside:
            found[key] = [each.get(key, MISSING) for each in told]
    made = [made_with(run) for run in runs]
    for key in dict.fromkeys(key for each in made for key in each):
        found[key] = [each.get(key, MISSING) for each in made]
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def made_with(run: Run) -> dict[str, str]:
    """Versions, device, weights and images of a run, as far as they are recorded."""
    versions = {f"version of {name}": each for name, each in run.results.get("versions", {}).items()}
    weights = at(run.results, "weights/before")
    digests = {name: run.digest(images) for images, name in SHARED.items()}
    digests["weights"] = str(weights or "")
    device = run.results.get("device")
    return {
        **versions,
        **({"device": device} if device else {}),
        **{f"{name} (digest)": each[:DIGITS] for name, each in digests.items() if each},
    }


def difference(name: str, first: Run, other: Run) -> Difference:
    """A figure of `other` minus that of `first`, with the narrowest interval that what they left allows.

    Paired, where the runs used the same images: the influences of each image are subtracted, so that what
    both owe to it cancels, and the squared standard error is the sum over the kinds of images of
    variance / n, with Student's t of one less than the smallest n. Otherwise the intervals of both are
    combined as if the runs shared nothing (`claims.combined.minus`).
    """
    a, b = first.figures.get(name), other.figures.get(name)
    if a is None or b is None:
        without = " and ".join(run.letter for run in (first, other) if name not in run.figures)
        return Difference((), f"not measured by {without}")
    if why := incomparable(a, b, first, other):
        return Difference((), f"not compared: {why}")
    found = [figure.value(run.results) or 0.0 for figure, run in ((a, first), (b, other))]
    value = found[1] - found[0]
    mine, theirs = first.influences.get(a.path), other.influences.get(b.path)
    if not (why := unpaired(first, other, mine, theirs)) and mine and theirs:
        half = half_width([theirs[images] - mine[images] for images in mine])
        same = " and ".join(SHARED[images] for images in mine if images in SHARED)
        return Difference((value, value - half, value + half), f"paired: the same {same}")
    alone = [estimate(figure, run.results) for figure, run in ((a, first), (b, other))]
    if alone[0] is None or alone[1] is None:
        lacking = [run.letter for run, each in zip((first, other), alone, strict=True) if each is None]
        where = f" in {lacking[0]}" if len(lacking) == 1 else ""
        return Difference((value,), f"no interval is recorded{where}")
    combined = minus(alone[1], alone[0])
    how = f"not paired ({why}): too wide where the runs share images"
    return Difference((combined.value, combined.low, combined.high), how)


def incomparable(a: Figure, b: Figure, first: Run, other: Run) -> str:
    """Why two figures of one name must not be compared; empty if they may be."""
    if a.unit != b.unit:
        return f"units {a.unit or 'none'} and {b.unit or 'none'}"
    if (ours := kind(a, first.results)) != (theirs := kind(b, other.results)):
        return f"kinds {ours} and {theirs}"
    for what, path in qualities(a.path).items():
        ours, theirs = at(first.results, path), at(other.results, path)
        if ours != theirs:
            return f"{what} {ours} and {theirs}"
    return ""


def kind(figure: Figure, results: Results) -> str:
    """Where a figure lies and, if it depends on that outside the metrics, of how many images it is.

    Stages that measure different things may call them by one name.
    """
    n = at(results, f"{figure.interval}/n") if figure.path.startswith(COUNTED) else None
    return figure.path if n is None else f"{figure.path} of {n} images"


def qualities(path: str) -> dict[str, str]:
    """What must be equal where figures that lie at this path are compared -> its path in the results.

    The name of features holds the view by which the extractor saw the images.
    """
    judged = path.startswith("metrics/")
    section = "metrics" if judged else "coordinates"
    found = {} if path.startswith(ANY_FEATURES) else {"features": f"{section}/extractor"}
    counts = {"numbers of samples": "metrics/sets/samples/n", "numbers of held-out images": "metrics/n_real"}
    return {**found, **(counts if judged and not path.startswith(ANY_NUMBER) else {})}


def drawn(run: RunFolder) -> str:
    """Equal for runs whose samples at one place are one draw; empty where that is not recorded.

    Under a selection a sample's place is that among the kept ones, so that what proposes counts too.
    """
    seed = at(run.results, "coordinates/seed")
    digest = at(run.results, "data/domain/used/references/digest")
    if seed is None or not digest:
        return ""
    names = ("selection", *(() if run.coordinate("selection") == "none" else PROPOSED))
    told = [(coordinate_word(run, name), run.config.get(name)) for name in names]
    text = json.dumps([seed, digest, told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def unpaired(
    first: Run,
    other: Run,
    mine: Mapping[str, NDArray[np.float64]] | None,
    theirs: Mapping[str, NDArray[np.float64]] | None,
) -> str:
    """Why the difference of two figures cannot be paired; empty if it can."""
    without = " and ".join(run.letter for run in (first, other) if not run.influences)
    if without:
        return f"no {FILE} in {without}"
    if mine is None or theirs is None:
        return "what each image contributes is not recorded"
    for images in mine:
        ours, its = mine[images], theirs.get(images, np.empty(0))
        if ours.ndim != 1 or ours.shape != its.shape or len(ours) < 2:
            return f"other numbers of {SHARED.get(images, images)}"
        if images in SHARED and not first.digest(images) == other.digest(images) != "":
            return f"other {SHARED[images]}"
    return ""


def half_width(moved: Sequence[NDArray[np.float64]]) -> float:
    """Half the 95 % interval of a figure with these influences, each ``[n]``, n >= 2."""
    error = math.sqrt(sum(float(each.var(ddof=1)) / len(each) for each in moved))
    return quantile(min(len(each) for each in moved)) * error


def quantile(n: int) -> float:
    """97.5th percentile of Student's t for n values."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.975))


def estimate(figure: Figure, results: Results) -> Estimate | None:
    """A figure with its interval: the one that the run recorded or, of a mean, that of its spread."""
    bounds = figure.bounds(results)
    if len(bounds) == 3:
        value, low, high = bounds
        return Estimate(value, low, high, int(number_at(results, f"{figure.interval}/n") or 0))
    sd = number_at(results, figure.spread) if figure.spread else None
    n = number_at(results, f"{figure.path.partition('/')[0]}/n")
    if not bounds or sd is None or n is None or n < 2:
        return None
    half = quantile(int(n)) * sd / math.sqrt(n)
    return Estimate(bounds[0], bounds[0] - half, bounds[0] + half, int(n))
