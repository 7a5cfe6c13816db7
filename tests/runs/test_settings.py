from typing import Any

import pytest
from omegaconf import OmegaConf

from ood_diffusion.checks import UserError
from ood_diffusion.runs.settings import Settings, read_settings

GOOD: dict[str, Any] = {
    "eta": 0,
    "steps": 24,
    "level": 500,
    "seed": 0,
    "n_references": 96,
    "n_held_out": 512,
    "n_samples": 128,
    "n_training": 4,
    "batch_size": 32,
    "precision": "fp32",
    "compile": False,
}


def test_whole_numbers_and_floats_are_one_run() -> None:
    assert Settings(**GOOD) == Settings(**{**GOOD, "eta": 0.0, "level": 500.0})
    assert repr(Settings(**GOOD).eta) == "0.0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 2.5}, "steps must be an integer of at least 1, but got 2.5"),
        ({"steps": True}, "steps must be an integer"),
        ({"seed": -1}, "seed must be an integer of at least 0, but got -1"),
        ({"eta": "half"}, "eta must be a number, at least 0, but got 'half'"),
        ({"n_references": 1}, "n_references must be an integer of at least 2, but got 1"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"level": None}, "level must be a number"),
    ],
)
def test_each_knob_is_checked(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"sampler": {"concentration": float("inf")}}, "sampler.concentration must be a finite number"),
        ({"domain": {"mix": [0.5, float("nan")]}}, "domain.mix.1 must be a finite number, but got nan"),
    ],
)
def test_no_number_of_any_part_is_infinite(part: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_settings(OmegaConf.create(part))
