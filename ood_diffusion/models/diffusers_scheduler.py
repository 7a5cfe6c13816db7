"""A scheduler's config, as diffusers saves it: the schedule of a network's training, and what it predicts."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ood_diffusion.checks import Json, UserError, require, require_choice
from ood_diffusion.diffusion.schedule import Schedule, VariancePreserving
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_folder import OTHER, read_json, usable


def sigmoid(timesteps: int, beta_start: float, beta_end: float) -> VariancePreserving:
    """diffusers' "sigmoid" (GeoDiff's)."""
    rise = 1 / (1 + np.exp(-np.linspace(-6, 6, timesteps)))
    return Schedule.from_betas(beta_start + (beta_end - beta_start) * rise)


BETAS = {
    "linear": Schedule.linear,
    "scaled_linear": Schedule.scaled_linear,
    "squaredcos_cap_v2": lambda timesteps, beta_start, beta_end: Schedule.cosine(timesteps),
    "sigmoid": sigmoid,
}
"""diffusers' `beta_schedule` -> the schedule from T, beta_start and beta_end."""
EDM = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
CONSISTENCY = "a consistency model, which predicts the end of a trajectory and has none to invert"
SCORE = "a network that predicts a score, in diffusers' old variance-exploding pipelines"
REFUSED = {
    "CMStochasticIterativeScheduler": CONSISTENCY,
    "FlowMatchLCMScheduler": CONSISTENCY,
    "LCMScheduler": CONSISTENCY,
    "TCDScheduler": CONSISTENCY,
    "KarrasVeScheduler": SCORE,
    "ScoreSdeVeScheduler": SCORE,
}
"""Schedulers -> what their networks are."""
CHANGED = {
    "invert_sigmas": False,
    "timestep_type": "discrete",
    "snr_shift_scale": 1.0,
}
"""Settings that change what the network is told or which path it knows -> the value that is understood."""


class Scheduler(NamedTuple):
    """What a scheduler says of its network.

    Args:
        schedule: of the training.
        prediction_type: a key of `diffusion.prediction.TO_EPS`, or "edm".
        sigma_data: see `models.edm.EDMModel`; None unless "edm".
    """

    schedule: Schedule
    prediction_type: str
    sigma_data: float | None = None


def scheduler_config(folder: Path) -> Path:
    """Where a pipeline keeps its scheduler's config, or would keep it."""
    name = "scheduler_config.json"
    return next((p for p in (folder / "scheduler" / name, folder / name) if p.is_file()), folder / name)


def read_scheduler(folder: Path, tokens: int | None = None) -> Scheduler:
    """What a pipeline's `scheduler_config.json` says, but for how it would step (its own grid and solver).

    Args:
        folder: the pipeline's.
        tokens: patches that its network divides a state into, on which a shift may depend; None: no patches.

    Raises:
        UserError: if it is missing, or says what is not understood.
    """
    path = scheduler_config(folder)
    config = read_json(path)
    check_kind(config, path)
    return usable(lambda: understood(config, tokens, path), path)


def check_kind(config: Json, path: Path) -> None:
    """Raise `UserError` if the config at `path` is of a scheduler whose networks have nothing to invert."""
    kind = str(config.get("_class_name"))
    require(
        kind not in REFUSED,
        f"{path} must belong to a network that predicts noise, image, v or flow",
        f"{kind}, of {REFUSED.get(kind)}",
        OTHER,
    )


def understood(config: Json, tokens: int | None, path: Path) -> Scheduler:
    """What the config at `path` says; see `read_scheduler`."""
    for setting, value in CHANGED.items():
        require(
            config.get(setting, value) in (value, None),
            f"{setting} in {path} must be {value}",
            config.get(setting),
            f"Such a schedule is not understood yet. {OTHER}",
        )
    kind, timesteps = str(config.get("_class_name")), config.get("num_train_timesteps", 1000)
    flow = kind.startswith("FlowMatch") or config.get("use_flow_sigmas")
    old = "epsilon" if config.get("predict_epsilon", True) else "sample"  # until diffusers 0.9
    prediction_type = str(config.get("prediction_type", "flow_prediction" if flow else old))
    known = ("epsilon",) if kind in EDM else FrozenModel.prediction_types
    require_choice(f"prediction_type in {path}", prediction_type, known, OTHER)
    if flow:
        shift = config["shift"] if "shift" in config else config.get("flow_shift", 1.0)
        if config.get("use_dynamic_shifting"):
            shift = dynamic_shift(config, tokens, path)
        return Scheduler(Schedule.flow(timesteps, shift), prediction_type)
    if kind in EDM:
        ends = (config.get("sigma_min", 0.002), config.get("sigma_max", 80.0), config.get("rho", 7.0))
        return Scheduler(Schedule.karras(timesteps, *ends), "edm", config.get("sigma_data", 0.5))
    schedule = with_betas(config, path)
    zero = config.get("rescale_betas_zero_snr", False)
    return Scheduler(schedule.zero_terminal_snr() if zero else schedule, prediction_type)


def dynamic_shift(config: Json, tokens: int | None, path: Path) -> float:
    r"""The shift that pipelines of diffusers give images of `tokens` patches (their `calculate_shift`):
    :math:`\mu` is linear in the number, and the shift is :math:`e^\mu` or :math:`\mu`."""
    if tokens is None:
        raise UserError(
            f"use_dynamic_shifting in {path} must belong to a network of patches, since the shift depends on "
            f"their number, but got a UNet. {OTHER}"
        )
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    mu = float(low + (high - low) * (tokens - few) / (many - few))
    return mu if config.get("time_shift_type") == "linear" else math.exp(mu)


def with_betas(config: Json, path: Path) -> VariancePreserving:
    """The schedule of a config with betas, which lies at `path`."""
    if config.get("trained_betas") is not None:
        return Schedule.from_betas(config["trained_betas"])
    require(
        "beta_schedule" in config,
        f"{path} must describe a schedule with betas, of flow matching or EDM's",
        config.get("_class_name"),
        "If you know the schedule of the training, use model=torch_module.",
    )
    require_choice(f"beta_schedule in {path}", config["beta_schedule"], BETAS, OTHER)
    ends = (config.get("beta_start", 1e-4), config.get("beta_end", 0.02))
    return BETAS[config["beta_schedule"]](config.get("num_train_timesteps", 1000), *ends)
