"""The words of `results.json`: every number a cell can report, its unit and its range.

A cell that stops early has fewer keys: a stage that did not run leaves its section out, and readers
must cope. Numbers that are not finite are stored as `null`, because JSON has no word for them.
"""

import json
import math
from pathlib import Path
from typing import Any, TypedDict

from ood_diffusion.storage.atomic import atomic_write


class Cell(TypedDict, total=False):
    """The settings that identify one cell; `level` and `steps` as in the schedule, `eta` in [0, 1]."""

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
    level: float
    seed: int
    n_references: int
    n_held_out: int
    n_samples: int
    n_training: int
    batch_size: int | str
    precision: str
    compile: bool


class Model(TypedDict):
    """What the frozen model is: shapes (C, H, W); λ at level 1 and at the last; images/s of one call."""

    parameters: int
    image_shape: list[int]
    state_shape: list[int]
    prediction_type: str
    timesteps: int
    lambda_first: float
    lambda_last: float
    digest: str
    images_per_second: float | None
    picture: str


class Reconstruct(TypedDict, total=False):
    """Image → latent → image: PSNR over `n` references, in dB."""

    psnr_mean: float | None
    psnr_sd: float | None
    psnr_min: float | None
    level: float
    steps: int
    n: int


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


class Sample(TypedDict, total=False):
    """The drawing of new latents.

    `nearest_reference_latent` is the mean distance from a draw to its nearest reference latent, over
    the mean distance between references: 1 is "as far apart as references are", 0 is a copy.
    """

    proposed: int
    accepted: int
    acceptance: Acceptance
    nearest_reference_latent: float | None


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


class Metrics(TypedDict, total=False):
    """The judgement in the features of one extractor, against `n_real` held-out images."""

    extractor: str
    num_features: int
    n_real: int
    better: dict[str, str]
    sets: Sets
    novelty: Novelty


class Cost(TypedDict, total=False):
    """What each stage cost: calls are images through the network; memory in MiB."""

    network_calls: dict[str, int]
    seconds: dict[str, float]
    images_per_second: dict[str, float]
    peak_memory_mib: float | None


class Weights(TypedDict, total=False):
    """The digest of the model's weights around the run; they must be equal."""

    before: str
    after: str


class Solver(TypedDict, total=False):
    """What an implicit solver found out while it inverted; see `diffusion.fixed_point`."""

    iterations_mean: float
    not_converged: float
    largest_change: float


class Results(TypedDict, total=False):
    """Everything one cell reports."""

    cell: Cell
    model: Model
    solver: Solver
    reconstruct: Reconstruct
    latents: Latents
    sample: Sample
    metrics: Metrics
    analyse: dict[str, Any]
    bandwidth: dict[str, Any]
    interference: dict[str, Any]
    few_shot: dict[str, Any]
    preservation: dict[str, Any]
    physics: dict[str, Any]
    transfer: dict[str, Any]
    claims: dict[str, str]
    cost: Cost
    versions: dict[str, str]
    weights: Weights


def write_json(path: Path, obj: object) -> None:
    """Write `obj` as indented UTF-8 JSON, whole or not at all; NaN and infinities become `null`.

    Raises:
        TypeError: if `obj` holds something JSON cannot express (NumPy scalars are converted).
        OSError: if the file cannot be written; the old file then stays.
    """
    text = json.dumps(plain(obj), indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(path, (text + "\n").encode())


def plain(value: Any) -> Any:
    """Copy nested dicts and lists with NumPy and torch scalars as Python numbers, non-finite ones as None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
