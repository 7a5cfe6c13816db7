"""What the user says about the logger, checked before anything is computed and without W&B."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ood_diffusion.checks import require, require_choice
from ood_diffusion.extras import import_extra

MODES = ("auto", "online", "offline", "disabled")
WORDS = ("project", "entity", "name", "group", "job_type", "notes")
TIMEOUTS = {"init_timeout": 30.0, "finish_timeout": 300.0}
LONGEST_PROJECT, LONGEST_TAG = 128, 64
RESERVED = "/\\#?%:"
"""Characters that no name of a project may have."""


@dataclass(frozen=True)
class Tracking:
    """Settings of one run.

    Args:
        mode: one of `MODES`.
        words: of `WORDS`, those that are given.
        tags: of the run.
        timeouts: of `TIMEOUTS`, in seconds.
    """

    mode: str
    words: Mapping[str, str]
    tags: Sequence[str]
    timeouts: Mapping[str, float]


def check_logger(settings: Mapping[str, Any]) -> None:
    """Raise `UserError` for wrong settings of W&B, or if a logger of Lightning's lacks package or place."""
    match str(settings.get("_target_", "")).rpartition(".")[2]:
        case "":
            read_tracking(settings)
        case "TensorBoardLogger":
            import_extra("tensorboard", "tensorboard")
        case "MLFlowLogger":
            import_extra("mlflow", "mlflow")
            where = settings.get("tracking_uri")
            remedy = "Set it, or MLFLOW_TRACKING_URI, such as http://localhost:5000."
            require(bool(where), "logger.tracking_uri must name MLflow's server or database", where, remedy)


def read_tracking(settings: Mapping[str, Any]) -> Tracking:
    """What is said of W&B; numbers become text where words are expected, null and "" are not given.

    Raises:
        UserError: for a setting that is unknown, or has a value that W&B would refuse.
    """
    for key in settings:
        require_choice("a wandb setting", key, ("mode", "tags", *WORDS, *TIMEOUTS))
    given = {key: value for key, value in settings.items() if value is not None and value != ""}
    mode = str(given.get("mode", "auto"))
    require_choice("logger mode", mode, MODES)
    words = {key: _word(key, given[key]) for key in WORDS if key in given}
    project = words.get("project", "")
    require(
        len(project) <= LONGEST_PROJECT and not set(project) & set(RESERVED),
        f"logger.project must have {LONGEST_PROJECT} characters at most and none of {' '.join(RESERVED)}",
        project,
        "For a team, set logger.entity=TEAM.",
    )
    tags = given.get("tags", ())
    tags = [tags] if isinstance(tags, bool | int | float | str) else tags
    require(isinstance(tags, Sequence), "logger.tags must be a list of words", tags, "Try logger.tags=[a,b].")
    tags = [_word("tags", tag) for tag in tags]
    for tag in tags:
        expected = f"a tag must have 1 to {LONGEST_TAG} characters"
        require(0 < len(tag) <= LONGEST_TAG, expected, tag, "Correct logger.tags.")
    timeouts = {key: _seconds(key, given.get(key, default)) for key, default in TIMEOUTS.items()}
    return Tracking(mode, words, tags, timeouts)


def _word(key: str, value: object) -> str:
    expected = f"logger.{key} must be {'a list of words' if key == 'tags' else 'one word or text'}"
    require(isinstance(value, bool | int | float | str), expected, value, f"Correct logger.{key}.")
    return str(value)


def _seconds(key: str, value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    expected = f"logger.{key} must be a positive number of seconds"
    require(0 < seconds < math.inf, expected, value, f"Try logger.{key}={TIMEOUTS[key]:g}.")
    return seconds
