"""What a run has cost adds up; what is in the store costs nothing."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.fields.view import Channels
from ood_diffusion.lightning.features import FeaturePass
from ood_diffusion.runs import workspace as module
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.workspace import Workspace
from ood_diffusion.stages.invert import invert
from ood_diffusion.storage.store import TensorStore
from tests.cli import QUICK
from tests.faults.networks import Means
from tests.runs.test_run import made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made(tmp_path, *QUICK, "stages=[invert]").workspace


def attempt(
    workspace: Workspace, stage: str, made: int, found: int, calls: int, *, fails: bool = False
) -> None:
    answers = iter((100, 100 + calls))  # of the run so far, which had some before
    with workspace.accounted(stage, lambda: next(answers)):
        workspace.items.update(made=made, found=found)
        if fails:
            raise KeyError


def clock(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Each of the coming stages takes so long."""
    times = iter([t for i, s in enumerate(seconds) for t in (1000 * i, 1000 * i + s)])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(times)))


def test_attempts_add_up(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that failed too; the speed is that of the last which ended and made anything."""
    clock(monkeypatch, 2, 4, 1, 8)
    attempt(workspace, "invert", made=6, found=0, calls=12)
    with pytest.raises(KeyError):
        attempt(workspace, "invert", made=2, found=6, calls=4, fails=True)
    attempt(workspace, "invert", made=0, found=8, calls=0)
    attempt(workspace, "sample", made=4, found=0, calls=40)
    assert workspace.cost == {
        "seconds": {"invert": 7, "sample": 8},
        "network_calls": {"invert": 16, "sample": 40},
        "images_per_second": {"invert": 3.0, "sample": 0.5},
    }
    assert workspace.items == {"made": 12, "found": 14}


def test_a_stage_that_ends_is_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock(monkeypatch, 2)
    with caplog.at_level("INFO", module.__name__):
        attempt(workspace, "invert", made=6, found=1500, calls=12)
    (line,) = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert line.split(maxsplit=2)[:2] == ["✓", "invert"]
    assert line.endswith("6 images · 1,500 found in the store · 12 calls · 2.0 s · 3.0 images/s")


def predict(run: Run, ids: Mapping[str, str], sizes: list[int]) -> TensorStore:
    """Features of pictures; notes each time that a batch size is asked for."""
    target = run.workspace.stores.open("features", {"of": "this test"}, torch.float32)

    def size() -> int:
        sizes.append(3)
        return 3

    run.workspace.predict(target, run.pictures, ids, FeaturePass(Means(), Channels()), size, "features")
    return target


def test_a_batch_size_is_asked_for_where_something_is_missing(tmp_path: Path) -> None:
    run, sizes = made(tmp_path, *QUICK, "stages=[invert]"), list[int]()
    ids = dict(list(run.references.items())[:5])
    for wanted, asked, items in (
        (ids, 1, {"made": 5, "found": 0}),
        (ids, 1, {"made": 5, "found": 5}),
        ({}, 1, {"made": 5, "found": 5}),
        (run.references, 2, {"made": 12, "found": 10}),
    ):
        predict(run, wanted, sizes)
        assert len(sizes) == asked and run.workspace.items == items


def test_what_may_not_be_written_is_said_before_a_batch_size_is_measured(tmp_path: Path) -> None:
    invert(made(tmp_path, *QUICK, "stages=[invert]"))
    run, sizes = made(tmp_path, *QUICK, "stages=[invert]", "store_mode=readonly"), list[int]()
    invert(run)
    assert run.workspace.items == {"made": 0, "found": 12}
    with pytest.raises(UserError, match="store_mode=readonly needs everything in the store"):
        predict(run, run.references, sizes)
    assert sizes == [] and run.workspace.items == {"made": 0, "found": 12}
