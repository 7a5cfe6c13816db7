"""On which device each process computes, on machines that are only imagined."""

from typing import Any

import pytest
import torch

from ood_diffusion.runs import execute
from ood_diffusion.runs.execute import announce
from ood_diffusion.runs.joining import trainer_maker
from tests.lightning.networks import gaussian_model


def device(place: int = 0, **trainer: Any) -> object:
    return trainer_maker(trainer, place).keywords["devices"]  # type: ignore[attr-defined]


@pytest.fixture
def gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)


@pytest.mark.parametrize("gpus", [4], indirect=True)
def test_runs_side_by_side_go_round_the_gpus(gpus: None) -> None:
    assert [device(place, devices=1) for place in range(6)] == [[0], [1], [2], [3], [0], [1]]
    assert [device(place, devices=[1, 3]) for place in range(3)] == [[1], [3], [1]]
    assert device(devices="auto") == [0] and device(devices=1, accelerator="cpu") == 1


@pytest.mark.parametrize(("gpus", "expected"), [(4, [2]), (1, [0]), (0, 1)], indirect=["gpus"])
@pytest.mark.parametrize("starter", ["srun", "torchrun"])
def test_a_rank_takes_its_own(
    gpus: None, expected: object, starter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third of four: of four GPUs, of the one that SLURM has bound to it (--gpus-per-task=1), of none."""
    if starter == "srun":
        variables = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "2"}
    else:
        variables = {"TORCHELASTIC_RUN_ID": "x", "RANK": "2", "GROUP_RANK": "0", "LOCAL_RANK": "2"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert device(devices=4) == expected


@pytest.mark.parametrize(
    ("kind", "capability", "bf16", "better"),
    [
        ("cuda", (7, 5), 10.0, "5.0 times slower than fp16"),
        ("cuda", (7, 5), 49.0, ""),
        ("cuda", (8, 0), 10.0, ""),
        ("cpu", None, 10.0, "2.5 times slower than fp32"),
    ],
)
def test_bf16_that_is_slower_than_others_is_warned_of(
    kind: str,
    capability: object,
    bf16: float,
    better: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where a device may have no instructions for it: on a T4 (7.5) as on a CPU, not on an A100 (8.0)."""
    speeds = {"fp32": 25.0, "fp16": 50.0, "bf16": bf16}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(
        execute, "measured_rate", lambda model, device, precision: lambda size: speeds[precision]
    )
    announce(torch.device(kind), "bf16", gaussian_model())
    if better:
        assert f"bf16 is {better}" in caplog.text and f"Use precision={better[-4:]}." in caplog.text
    else:
        assert "slower" not in caplog.text
