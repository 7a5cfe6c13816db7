"""Configurations as the command composes them, each once in a process: it takes a third of a second."""

from functools import cache

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from ood_diffusion.runs.configuration import conf_folder


@cache
def composed(*overrides: str) -> DictConfig:
    """The configuration with `overrides`; not to be changed."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        return compose("config", list(overrides))
