"""The top-level knobs of one run of the grid; they check themselves, before anything heavy is imported."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from ood_diffusion.checks import UserError, require, require_choice, require_integer
from ood_diffusion.precision import PRECISIONS
from ood_diffusion.report.tracking.settings import check_logger
from ood_diffusion.runs.configuration import said_of
from ood_diffusion.runs.objective import names_of
from ood_diffusion.storage.mode import MODES

RICH = "rich"
OUTPUTS = (RICH, "quiet", "json")
"""What is printed: progress and tables; warnings and errors only; a line of JSON per run."""

AUTO, RECOMMENDING = "auto", "bandwidth"
"""The `level` that stands for the one that is recommended by a stage, and that stage."""


@dataclass(frozen=True)
class Settings:
    """What a user sets on the command line.

    Args:
        eta: share of fresh noise when generating, 0 (deterministic) … 1 (ancestral).
        steps: solver steps each way.
        level: level t the references are inverted to and samples start from, 1 < level <= T; "auto": the one
            that the stage `bandwidth`, run first, recommends.
        seed: determines draws and noise; item i of seed s is the same in every run.
        n_references: images inverted and learned from.
        n_held_out: images of the domain used only for evaluation, at most.
        n_samples: new images to make.
        n_training: images of the training domain, per split, that the stages about it compare with.
        batch_size: images per network call, or "auto" for the largest that fits and still pays.
        precision: arithmetic inside the network, see `precision.PRECISIONS`.
        compile: whether `torch.compile` fuses the network.

    Raises:
        UserError: for a value outside its range; limits that depend on the model are checked later.
    """

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

    def __post_init__(self) -> None:
        least = {"steps": 1, "seed": 0, "n_references": 2, "n_held_out": 1, "n_samples": 1, "n_training": 1}
        if self.batch_size != "auto":
            least["batch_size"] = 1
        for name, lowest in least.items():
            require_integer(name, getattr(self, name), lowest, f"Correct {name}.")
        require_choice("precision", self.precision, PRECISIONS)
        require(isinstance(self.compile, bool), "compile must be true or false", self.compile, "Try false.")
        for name in ("eta", "level") if self.level != AUTO else ("eta",):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            require(number and value >= 0, f"{name} must be a number, at least 0", value, f"Correct {name}.")
            object.__setattr__(self, name, float(value))  # eta=0 and eta=0.0 are one run
        require(self.eta <= 1, "eta must lie between 0 (deterministic) and 1 (ancestral)", self.eta, "Try 0.")


def read_settings(cfg: DictConfig) -> Settings:
    """The knobs of a composed configuration; `UserError` if one, or a word beside them, is wrong."""
    plain = OmegaConf.to_container(cfg)
    for name, number in numbers(plain):
        require(math.isfinite(number), f"{name} must be a finite number", number, f"Correct {name}.")
    word = cfg["stages"]
    listed = isinstance(word, Sequence) and not isinstance(word, str)
    require(word is None or listed, "stages must be a list", word, f"Write 'stages=[{word}]'.")
    stages = list(word or ())
    known = list(cfg["stage"])
    strange = next((stage for stage in stages if stage not in known), None)
    own = f"Correct stages; one of your own needs +stage@stage.{strange}={strange}."
    remedy = own if strange else "Correct stages."
    require(bool(stages) and strange is None, f"stages must be chosen from {known}", stages, remedy)
    require_complete(plain, stages)
    require_choice("output", cfg["output"], OUTPUTS)
    check_logger(cfg["logger"])
    names_of(cfg["objective"])
    require_choice("store_mode", cfg["store_mode"], MODES)
    return Settings(**{knob: cfg[knob] for knob in Settings.__dataclass_fields__})


def require_complete(plain: Any, stages: Sequence[str]) -> None:
    """Raise `UserError` unless all settings without a default are set, except those of stages not run."""
    lines = [
        f"{name} must be set. {said_of(name, targets) or f'Add {name}=…'}"
        for name, targets in missing(plain)
        if not name.startswith("stage.") or name.split(".")[1] in stages
    ]
    if lines:
        raise UserError("\n".join(lines))


def missing(part: Any, name: str = "", targets: Sequence[str] = ()) -> Iterator[tuple[str, Sequence[str]]]:
    """The settings without a value within a plain configuration, and the `_target_`s of the parts around."""
    if part == MISSING:
        yield name, targets
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from missing(value, f"{name}.{key}".lstrip("."), (*targets, str(part.get("_target_"))))


def numbers(part: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """The floating-point numbers within a plain configuration, with their dotted names."""
    if isinstance(part, float):
        yield name, part
    elif isinstance(part, dict | list):
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        for key, value in inside:
            yield from numbers(value, f"{name}.{key}" if name else str(key))
