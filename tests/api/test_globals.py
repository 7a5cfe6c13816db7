"""A call leaves what belongs to the whole process as it was: a program of Hydra's, a notebook."""

import importlib
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir, version
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from omegaconf import OmegaConf

from ood_diffusion import UserError, draw, evaluate, generate, invert, load_domain, load_model
from ood_diffusion.api.composed import _composed
from ood_diffusion.runs import configuration
from tests.lightning.networks import gaussian_model

NAMES = ("now", "python_version", "embedded", "log_level", "sweep_group")
"""Resolvers of the caller's: Hydra has some of these names, and the package had the others."""


@pytest.fixture
def resolvers() -> Iterator[None]:
    for name in NAMES:
        OmegaConf.register_new_resolver(name, lambda *_: "the caller's", replace=True)
    yield
    for name in NAMES:
        OmegaConf.clear_resolver(name)


def resolved() -> list[str]:
    return [OmegaConf.create({"a": f"${{{name}:x}}"}).a for name in NAMES]


def globals_now() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "warning filters": list(warnings.filters),
        "environment": dict(os.environ),
        "root logger": (root.level, root.disabled, list(root.handlers), list(root.filters)),
        "lightning's logger": logging.getLogger("pytorch_lightning").level,
        "resolvers": resolved(),
        "hydra": [
            kind.instance() for kind in (GlobalHydra, ConfigStore, HydraConfig, JobRuntime, Plugins)
        ],
        "hydra's instance": GlobalHydra.instance().hydra,
        "hydra's version": version.getbase(),
        "job": JobRuntime.instance().get("name"),
        "generators": (torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()),  # type: ignore[index]
        "folder": os.getcwd(),
        "modules are looked for in": list(sys.path),
        "hooks": (sys.excepthook, sys.stdout, sys.stderr),
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)],
        "torch": (
            torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark,
        ),
    }  # fmt: skip


def every_call(size: int = 64) -> None:
    model, images = gaussian_model(size=size), torch.arange(8 * 3 * size**2).reshape(8, 3, size, size).byte()
    load_model("galaxies_64")
    bank = invert(model, images, steps=2)
    made = generate(model, draw(bank, 8), eta=0.5)
    evaluate(made, load_domain("galaxies_sim", model, n_references=4, n_held_out=8)[1])
    with pytest.raises(UserError):
        load_model("nope")
    with pytest.raises(UserError):
        invert(model, images, level=0.5)


@pytest.mark.slow
def test_nothing_global_is_changed(resolvers: None, tmp_path: Path) -> None:
    every_call()  # what libraries do when they are imported stays
    (tmp_path / "theirs.yaml").write_text("mine: ${now:x}\n")
    _composed.cache_clear()
    with initialize_config_dir(str(tmp_path), job_name="theirs", version_base="1.2"):
        for name in NAMES:  # some of which Hydra has just replaced
            OmegaConf.register_new_resolver(name, lambda *_: "the caller's", replace=True)
        before = globals_now()
        every_call()
        for name, value in globals_now().items():
            assert value == before[name], name
        assert compose("theirs").mine == "the caller's"


def test_importing_the_package_replaces_no_resolver(resolvers: None) -> None:
    importlib.reload(configuration)
    assert resolved() == ["the caller's"] * len(NAMES)
    path = OmegaConf.create({"a": "${ood_diffusion.embedded:cats-64.safetensors}"}).a
    assert Path(path).is_file()
