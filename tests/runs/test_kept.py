"""The runs of a sweep share a model, unless it is a user's or something went wrong."""

from pathlib import Path

import pytest

from ood_diffusion.runs.assemble import KEPT, kept_model
from ood_diffusion.runs.execute import kept_unless_void
from tests.composed import composed
from tests.runs.test_run import made

USERS = ["model=torch_module", "model.image_size=64"]
NETWORK = "model.network._target_=tests.lightning.networks.GaussianNetwork"


def test_weights_are_read_once_while_the_model_stays_the_same() -> None:
    model = kept_model(composed())
    assert kept_model(composed("eta=1", "seed=3")) is model
    other = kept_model(composed("precision=bf16"))
    assert other.precision == "bf16" and model.precision == "fp32"
    assert list(KEPT.values()) == [other], "two of them may not fit into memory"


def test_a_users_network_is_made_for_each_run() -> None:
    cfg = composed(*USERS, NETWORK)
    assert kept_model(cfg) is not kept_model(cfg)


def test_weights_are_read_again_after_a_failure(tmp_path: Path) -> None:
    model, run = kept_model(composed()), made(tmp_path)
    with pytest.raises(RuntimeError), kept_unless_void(run):
        raise RuntimeError
    assert kept_model(composed()) is not model
