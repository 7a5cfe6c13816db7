"""Whatever a setting is set to, a run either works or ends with a user error before anything is computed."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.api.composed import as_user_errors, composed
from ood_diffusion.checks import UserError
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.runs.assemble import assemble
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.runs.execute import execute
from ood_diffusion.runs.joining import trainer_maker
from ood_diffusion.runs.settings import read_settings

pytestmark = pytest.mark.slow

CASES = 300
WHOLE = 5
"""One of so many cases runs to its end; the others end where all is assembled and nothing computed."""
CHOICES: dict[str, tuple[str, ...]] = {
    "domain": ("galaxies_sim", "radiation_sim"),
    "solver": ("ddim", "ab2", "heun", "dpmpp_2m", "unipc", "fixed_point", "edit_friendly"),
    "grid": ("uniform_lambda", "uniform_t", "karras"),
    "prior": ("gaussian", "span", "shrunk", "spectral", "kde", "standard_normal"),
    "sampler": ("draw", "slerp", "linear_combination", "copy_references"),
    "selection": ("none", "geometric"),
}
TINY: dict[str, Any] = {
    "model.image_size": 8,
    "model.network": {"_target_": "tests.lightning.networks.GaussianNetwork"},
    "n_references": 10,
    "n_held_out": 8,
    "n_samples": 6,
    "n_training": 6,
    "steps": 2,
    "batch_size": 4,
    "extractor": {"_target_": "tests.faults.networks.Means"},
    "output": "quiet",
    "logger.mode": "disabled",
}
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 7, 0.5, 1.5, -0.5, 1e-9, float("nan"), float("inf")),
    *("", "abc", "auto", "2", "0.5", "cuda:7", "../x", "ü\x1b[0m", [], [1], [2, 3], ["a"], {}, {"a": 1}),
)
STAGES = ("invert", "reconstruct", "sample", "evaluate")
NOT_SETTINGS = (
    "hydra",
    "store",
    "data",
    "checkpoints",
    "logger",
    "trainer",
    "launcher",
    "training",
    "baseline",
    "compile",
)
"""Where files are, who computes and what is tested elsewhere; the rest is what a user turns."""


def leaves(part: Any, path: str = "") -> Iterator[str]:
    """The dotted names of all settings below `part`."""
    for name in part:
        key = f"{path}.{name}" if path else str(name)
        if key in NOT_SETTINGS or OmegaConf.is_missing(part, name):
            continue
        if not OmegaConf.is_interpolation(part, name) and isinstance(part[name], DictConfig) and part[name]:
            yield from leaves(part[name], key)
        else:
            yield key


def changed(value: Any, rng: random.Random) -> Any:
    """One of `VALUES`, or as often one near `value`, which may well work."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float) and rng.random() < 0.5:
        return rng.choice((value + 1, value * 2, value / 2, value))
    return rng.choice(VALUES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def attempt(rng: random.Random, store: Path, folder: Path, whole: bool) -> tuple[str, str]:
    """One run with a few random choices and one or two random values: what was asked, how it ended."""
    choices = {group: rng.choice(CHOICES[group]) for group in rng.sample(sorted(CHOICES), 2)}
    network = {"model.network._target_": TINY["model.network"]["_target_"]}
    cfg, names = composed({"model": "torch_module"}, network)
    OmegaConf.set_struct(cfg, False)
    for group, name in choices.items():  # composing all anew takes a while
        cfg[group], names[group] = OmegaConf.load(Path(conf_folder()) / group / f"{name}.yaml"), name
    for key, value in (TINY | {"store": str(store), "stages": list(STAGES)}).items():
        OmegaConf.update(cfg, key, value, merge=False)
    known = sorted(leaves(cfg))
    parts = sorted({key.split(".")[0] for key in known})  # as likely as a knob, however many settings it has
    chosen = rng.sample(parts, rng.choice((1, 1, 2)))
    keys = [rng.choice([key for key in known if key.split(".")[0] == part]) for part in chosen]
    changes = {key: changed(OmegaConf.select(cfg, key), rng) for key in keys}
    study = next((key.split(".")[1] for key in changes if key.startswith("stage.")), None)
    asked = f"{choices} {changes}"
    try:
        with as_user_errors():
            for key, value in changes.items():
                OmegaConf.update(cfg, key, value, merge=False)
            read_settings(cfg)
            if study is None and whole:
                execute(cfg, names, folder)
            else:  # a study's settings are read; what they do takes longer than a test of settings may
                cfg.stages = [study] if study else cfg.stages
                assemble(cfg, names, folder, Ranks(trainer_maker(cfg.trainer)))
    except UserError as error:
        return asked, str(error)
    except Exception as error:
        raise AssertionError(asked) from error
    return asked, ""


@pytest.mark.parametrize("batch", range(10))
def test_every_setting_works_or_is_refused(batch: int, store: Path, tmp_path: Path) -> None:
    rng = random.Random(batch)
    ended = [
        attempt(rng, store, tmp_path / str(number), number % WHOLE == 0) for number in range(CASES // 10)
    ]
    assert {bool(said) for _, said in ended} == {True, False}  # the test meets both
