"""Configurations as the command composes them, each once in a process: it takes a third of a second."""

from functools import cache
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from ood_diffusion.api.composed import as_user_errors
from ood_diffusion.api.composed import composed as of_a_call
from ood_diffusion.checks import UserError
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.runs.execute import execute


@cache
def composed(*overrides: str) -> DictConfig:
    """The configuration with `overrides`; not to be changed."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        return compose("config", list(overrides))


def refused(folder: Path, *overrides: str) -> str:
    """What the command with `overrides` is told, in this process and without composing values anew."""
    words = [word.split("=", 1) for word in overrides]
    choices = {key: name for key, name in words if Path(conf_folder(), key).is_dir()}
    values = {key: yaml.safe_load(value) for key, value in words if key not in choices}
    cfg, names = of_a_call(choices, {"output": "quiet", "store": "outputs/store", **values})
    with pytest.raises(UserError) as told, as_user_errors():
        execute(cfg, names, folder / "run")
    assert not list(folder.rglob("results.json"))
    return str(told.value)
