"""Configurations as the command composes them (test_composed.py).

Hydra takes a third of a second for one: values, and files that bring nothing along, are set in what it has
composed before.
"""

from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from ood_diffusion.api.composed import as_user_errors
from ood_diffusion.api.composed import composed as of_a_call
from ood_diffusion.checks import UserError
from ood_diffusion.compat import hydra_apart
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.runs.execute import execute


def composed(*overrides: str, hydra: bool = False) -> DictConfig:
    """The configuration with `overrides`; Hydra's own part of it where that is asked for."""
    words = OverridesParser.create().parse_overrides(list(overrides))
    files = [word for word in words if not is_value(word)]
    apart = files if all(is_apart(file) for file in files) else []
    cfg = deepcopy(with_files(*[file.input_line for file in files if file not in apart]))
    for file in apart:
        cfg[file.key_or_group] = OmegaConf.load(path_of(file))
        cfg.hydra.runtime.choices[file.key_or_group] = file.value()
    if not hydra:
        with open_dict(cfg):
            del cfg["hydra"]
    for word in words:
        if is_value(word):
            OmegaConf.update(cfg, word.key_or_group, word.value())
    return cfg


@cache
def with_files(*overrides: str) -> DictConfig:
    with hydra_apart(), initialize_config_dir(conf_folder(), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def is_value(word: Override) -> bool:
    """Whether a word of the command changes one value of what the files say."""
    group = Path(conf_folder(), word.key_or_group).is_dir()
    return word.type is OverrideType.CHANGE and not group and not word.is_sweep_override()


def is_apart(word: Override) -> bool:
    """Whether a word chooses a file that holds one part of a configuration and nothing else."""
    path = path_of(word)
    return (
        word.type is OverrideType.CHANGE
        and word.package is None
        and word.key_or_group in with_files()
        and path.is_file()
        and not any(sign in path.read_text(encoding="utf-8") for sign in ("defaults:", "@package"))
    )


def path_of(file: Override) -> Path:
    return Path(conf_folder(), file.key_or_group, f"{file.value()}.yaml")


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
