"""Imports before a run, in their order; of several ranks that failed, the one that began it is named."""

import gc
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from ood_diffusion.report.tracking.mode import import_early
from ood_diffusion.runs.launch import collecting_no_garbage, first_cause, launch
from ood_diffusion.runs.outcome import LOST


@pytest.mark.parametrize(
    ("codes", "named"),
    [
        ({0: 2, 1: -signal.SIGABRT}, 0),  # a mistake, whoever was seen to end first
        ({0: 1, 1: -signal.SIGKILL}, 1),
        ({0: 1, 1: 1}, 0),
        ({0: LOST, 1: 1}, 1),
        ({0: 128 + signal.SIGTERM, 1: 1}, 1),
    ],
)
@pytest.mark.parametrize("late", [0, 1])
def test_a_mistake_comes_before_a_kill_and_that_before_what_follows(
    codes: dict[int, int], named: int, late: int
) -> None:
    if codes[0] == codes[1]:
        named = 1 - late
    failures = {r: SimpleNamespace(exitcode=code, timestamp=10 + (r == late)) for r, code in codes.items()}
    assert min(failures.items(), key=lambda item: first_cause(*item))[0] == named


def test_wandb_is_imported_before_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run will want it: its import takes twice as long after PyTorch's."""
    done: list[str] = []
    monkeypatch.setattr("ood_diffusion.runs.launch.import_early", done.append)
    monkeypatch.setattr("ood_diffusion.runs.execute.execute", lambda *_: done.append("run"))
    launch(OmegaConf.create({"trainer": {}, "logger": {"mode": "offline"}}), {}, Path(), {})
    assert done == ["offline", "run"]


@pytest.mark.parametrize(("mode", "imported"), [("offline", True), ("auto", False), ("disabled", False)])
def test_only_a_run_that_wants_wandb_imports_it(
    mode: str, imported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr("ood_diffusion.report.tracking.mode.import_wandb", lambda: asked.append(1))
    import_early(mode)  # what is wrong with W&B (here it is None) is said when the run opens
    assert bool(asked) == imported


def test_garbage_is_collected_again_after_the_first_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(gc, "freeze", lambda: None)  # of this process nothing shall stay for ever
    with collecting_no_garbage():
        assert not gc.isenabled()
    assert gc.isenabled()
    monkeypatch.undo()
    with collecting_no_garbage():
        assert gc.isenabled()
