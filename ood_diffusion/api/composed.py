"""The configuration behind a call: what `conf/` says, and what the caller says instead."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ood_diffusion.checks import UserError, require, require_choice
from ood_diffusion.compat import hydra_apart
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.runs.outcome import explain
from ood_diffusion.runs.settings import require_complete

Values = Mapping[str, object]
"""Values by their names in `conf/`, dotted: ``{"sampler.parents": 3, "trainer.accelerator": "cpu"}``."""


def composed(
    choices: Mapping[str, str | Sequence[str] | None], values: Values
) -> tuple[DictConfig, dict[str, str]]:
    """The configuration of one call, and the choice made in every group.

    Args:
        choices: group -> name of a file in it, or several names; None: the choice of `conf/config.yaml`.
        values: what replaces the values in these files.

    Raises:
        UserError: for a choice or a name of a value that is not there, or a value that is missing.
    """
    default, overrides = _composed(())[1], []
    for group, chosen in choices.items():
        if chosen is None or chosen == default.get(group):
            continue  # as it is: composing anew takes a while
        names = [chosen] if isinstance(chosen, str) else list(chosen)
        for name in names:
            require_choice(group, name, _names_in(group))
        overrides.append(f"{group}={chosen if isinstance(chosen, str) else names}")
    cfg, chosen_names = copy.deepcopy(_composed(tuple(overrides)))
    with as_user_errors():
        for key, value in values.items():
            _require_key(cfg, key)
            _require_value(cfg, key, value)
            OmegaConf.update(cfg, key, value)
    require_complete(OmegaConf.to_container(cfg), cfg.stages)
    return cfg, chosen_names


@contextmanager
def as_user_errors() -> Iterator[None]:
    """What Hydra says about a setting becomes a `UserError`, as the command prints it."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from None


@lru_cache(maxsize=32)
def _composed(overrides: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    with hydra_apart(), initialize_config_dir(conf_folder(), version_base="1.3"):
        cfg = compose("config", list(overrides), return_hydra_config=True)
    names = {str(group): str(name) for group, name in cfg.hydra.runtime.choices.items()}
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    OmegaConf.set_struct(cfg, True)
    return cfg, names


def _names_in(group: str) -> list[str]:
    return [path.stem for path in Path(conf_folder(), group).glob("*.yaml")]


def _require_key(cfg: DictConfig, key: str) -> None:
    path = key.split(".")
    for depth, name in enumerate(path):
        parent = ".".join(path[:depth])
        part = OmegaConf.select(cfg, parent) if parent else cfg
        known = sorted(map(str, part)) if isinstance(part, DictConfig) else []
        require(
            name in known,
            f"a setting{f' of {parent}' if parent else ''} must be one of: {', '.join(known) or '(none)'}",
            key,
            "`ood-diffusion --cfg job` prints all of them.",
        )


def _require_value(cfg: DictConfig, key: str, value: object) -> None:
    section = isinstance(OmegaConf.select(cfg, key, throw_on_resolution_failure=False), DictConfig)
    require(
        not section or isinstance(value, Mapping),
        f"{key} holds several settings, and must be replaced one by one or by a dictionary",
        value,
        f"Pass a name in conf/{key} as {key}=…, and a setting by its full name, such as {key}.x.",
    )
