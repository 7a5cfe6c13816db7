"""The words of `results.json`: every number a run can report, its unit and its range.

A run that stops early has fewer keys: a stage that did not run leaves its section out, and readers
must cope. Numbers that are not finite are stored as `null`, because JSON has no word for them. Readers check
a file against these types first (`collect.run_files`); of a stage's own section these say what readers rely
on.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from typing_extensions import NotRequired, TypedDict

from ood_diffusion.checks import Json
from ood_diffusion.report.claim_words import Verdict
from ood_diffusion.storage.atomic import atomic_write

SCHEMA = 2
"""Of `results.json`, there as "schema" (files without one are of the first). One more whenever a key changes
its meaning, its type or its place; `collect.run_files.upgraded` reads the older ones."""


class Coordinates(TypedDict, total=False):
    """The settings that identify one run; `level` and `steps` as in the schedule, `eta` in [0, 1]."""

    model: str
    domain: str
    prior: str
    sampler: str
    selection: str
    solver: str
    grid: str
    extractor: str
    eta: float
    steps: int
    level: float | str
    seed: int
    n_references: int
    n_held_out: int
    n_samples: int
    n_training: int
    batch_size: int | str
    precision: str
    compile: bool


class Used(TypedDict):
    """How many images of a split were used, and the digest of their contents."""

    n: int
    digest: str


class Data(TypedDict, total=False):
    """A domain as a run used it: `settings` of its YAML, what was `used` of each split and what its `record`
    says: for files that of `Collection`, for maps also the ranges and what was clipped."""

    settings: Json
    used: dict[str, Used]
    path: str
    splits: str
    files: int
    copies: int
    pictures: dict[str, int]
    passed_over: dict[str, int]
    digest: str
    range: list[Any]
    data_range: list[Any]
    values: dict[str, int]


class Model(TypedDict):
    """What the frozen model is: shapes (C, H, W); λ at level 1 and at the last (None: no signal
    there); `signal`: the share of the image in the variance, ᾱ, by level; images/s of one call."""

    parameters: int
    image_shape: list[int]
    state_shape: list[int]
    prediction_type: str
    timesteps: int
    lambda_first: float
    lambda_last: float | None
    signal: dict[str, float]
    digest: str
    images_per_second: float | None
    picture: str


class Bounds(TypedDict):
    """A value with the ends of its 95 % interval and the observations behind it: an `Estimate`."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Check(TypedDict):
    """A row of the table of claims: `claims.check.Check` as it is written."""

    claim: str
    figure: str
    found: Bounds
    against: str
    against_found: Bounds
    verdict: Verdict
    picture: str
    why: NotRequired[str]
    says: NotRequired[str]


class Tested(TypedDict, total=False):
    """The section of a stage that tests claims."""

    checks: list[Check]


class Reconstructions(TypedDict, total=False):
    """Image → latent → image: PSNR over `n` references, in dB; of fields with a scale also in its unit."""

    psnr_mean: float | None
    psnr_sd: float | None
    psnr_min: float | None
    physical: "Physical"
    level: float
    steps: int
    n: int


class Physical(TypedDict, total=False):
    """Errors of fields in `unit` (dex, or data units on a linear scale), root mean squares over all values:
    `rms`, its mean and deviation over fields; as a share of their standard deviation; the change of the mean
    physical value, as a share."""

    unit: str
    rms: float
    rms_sd: float
    share_of_sd: float
    flux: float
    flux_sd: float


class LatentGeometry(TypedDict, total=False):
    """Where latents lie: norms and distances (no unit), angles in degrees."""

    norm_mean: float | None
    norm_sd: float | None
    origin_angle_mean: float | None
    origin_angle_sd: float | None
    pair_distance_mean: float | None
    pair_distance_sd: float | None
    vertex_angle_mean: float | None
    vertex_angle_sd: float | None


class Latents(TypedDict, total=False):
    """The inverted references, the new draws, and what N(0, I) predicts."""

    references: LatentGeometry
    samples: LatentGeometry
    isotropic: LatentGeometry


class Acceptance(TypedDict, total=False):
    """The share in [0, 1] of proposals that pass each geometric test; empty without a selection."""

    distance: float | None
    origin_angle: float | None
    pair_angle: float | None
    all: float | None


class Samples(TypedDict, total=False):
    """The drawing of new latents.

    `nearest_reference_latent` is the mean distance from a draw to its nearest reference latent, over
    the mean distance between references: 1 is "as far apart as references are", 0 is a copy.
    """

    proposed: int
    accepted: int
    acceptance: Acceptance
    nearest_reference_latent: float | None
    share_kept: float | None


class SetMetrics(TypedDict, total=False):
    """One set of `n` images judged against the held-out images."""

    n: int
    fid: float | None
    kid: float | None
    precision: float | None
    recall: float | None
    density: float | None
    coverage: float | None


class Sets(TypedDict, total=False):
    """New samples, beside what the references and their reconstructions score."""

    samples: SetMetrics
    reconstructions: SetMetrics
    references: SetMetrics


class Novelty(TypedDict, total=False):
    """Mean feature distance to the nearest reference; `ratio` = generated / held_out; `copies` in [0, 1]."""

    generated: float | None
    held_out: float | None
    ratio: float | None
    copies: float | None


class Making(TypedDict, total=False):
    """What the samples depend on, and the network calls of one."""

    uses_prior: bool
    calls_per_reference: float
    calls_per_sample: float
    calls_per_image: float | None


class Metrics(TypedDict, total=False):
    """The judgement in the features of one extractor, against `n_real` held-out images.

    `intervals`: set -> metric -> its interval. `ratios`: of the samples over the references. `better` is in
    files older than `figures`.
    """

    extractor: str
    num_features: int
    n_real: int
    better: dict[str, str]
    sets: Sets
    ratios: dict[str, float | None]
    intervals: dict[str, dict[str, Bounds]]
    network_adds: dict[str, dict[str, Bounds]]
    novelty: Novelty
    making: Making


class Cost(TypedDict, total=False):
    """What each stage cost, and "pictures", those of the domain where a network draws them.

    Calls are images through a network; memory is in MiB.
    """

    network_calls: dict[str, int]
    seconds: dict[str, float]
    images_per_second: dict[str, float]
    peak_memory_mib: float | None
    peak_gpu_memory_mib: float


class Store(TypedDict, total=False):
    """The folder of the stores, how it was used, and how many items were made and found there."""

    folder: str
    mode: str
    made: int
    found: int


class Weights(TypedDict, total=False):
    """The digest of the model's weights around the run; they must be equal."""

    before: str
    after: str


class Solver(TypedDict, total=False):
    """What an implicit solver found out while it inverted; see `diffusion.fixed_point`."""

    iterations_mean: float
    not_converged: float
    largest_change: float


class CurvePoint(TypedDict):
    """Share of images still inside at an angle (degrees)."""

    angle: float
    interval: Bounds


class Level(TypedDict):
    """The bandwidth (degrees) at one level, and the curve behind it."""

    level: float
    bandwidth: Bounds
    curve: list[CurvePoint]


class Comparison(TypedDict, total=False):
    """Bandwidths of both domains, and what must be equal where runs are compared."""

    equal: Json
    unseen: Bounds


class Bandwidth(Tested, total=False):
    """The stage `bandwidth`; `gap`: FID between the domains."""

    domain: str
    gap: Bounds
    levels: list[Level]
    comparison: Comparison
    recommended: float


class Own(TypedDict, total=False):
    """Shares of the run's own samples: taken for the training domain's, and near-copies."""

    capture: Bounds
    copies: Bounds


class TrainingDomain(TypedDict, total=False):
    """How far apart the domains are."""

    fid_unseen: Bounds


class AtEta(TypedDict):
    """Samples at one eta."""

    eta: float
    capture: Bounds


class Interference(Tested, total=False):
    """The stage `interference`."""

    own: Own
    training_domain: TrainingDomain
    etas: list[AtEta]


class AtCount(TypedDict):
    """Samples from so many references."""

    n_references: int
    fid: Bounds


class FewShot(Tested, total=False):
    """The stage `few_shot`."""

    curve: list[AtCount]


class Results(TypedDict, total=False):
    """Everything one run reports; `figures`: `Figure.as_json` of those to be measured; `tracking`: "url" of
    the W&B run, if it is online; `stores`: kind and fingerprint of those that it has used."""

    schema: int
    command: str
    figures: list[Json]
    data: dict[str, Data]
    coordinates: Coordinates
    model: Model
    solver: Solver
    reconstruct: Reconstructions
    latents: Latents
    sample: Samples
    metrics: Metrics
    bandwidth: Bandwidth
    interference: Interference
    few_shot: FewShot
    claims: dict[str, str]
    cost: Cost
    versions: dict[str, str]
    device: str
    store: Store
    stores: list[str]
    tracking: dict[str, str]
    weights: Weights


PROVENANCE = ("command", "data", "figures", "stores", "tracking")
"""Sections that hold no numbers."""


def write_json(path: Path, obj: object) -> None:
    """Write `obj` as indented UTF-8 JSON, whole or not at all; NaN and infinities become `null`.

    Raises:
        TypeError: if `obj` holds something JSON cannot express (NumPy scalars are converted).
        OSError: if the file cannot be written; the old file then stays.
    """
    text = json.dumps(as_json(obj), indent=2, ensure_ascii=False, allow_nan=False)
    # bytes of a path that are no UTF-8 are lone surrogates, which JSON can only hold escaped
    atomic_write(path, (text + "\n").encode(errors="backslashreplace"))


def as_json(value: Any) -> Any:
    """Copy what is to be written, as JSON has it: dictionaries, lists, text and finite numbers.

    Dataclasses become dictionaries without the fields that are None, NumPy and torch scalars Python numbers,
    and non-finite numbers None.
    """
    if is_dataclass(value):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: as_json(item) for name, item in found.items() if item is not None}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
