"""Controls of a run: kept in the store, made once, and never the reason for which a run fails."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.pixels import to_bytes
from ood_diffusion.samplers.propose import Acceptance
from ood_diffusion.stages import control
from ood_diffusion.stages.control import control_images, controls_of
from ood_diffusion.storage.store import Gone
from tests.cli import QUICK
from tests.runs.test_run import made


def test_images_are_made_once_and_the_first_of_more_are_the_same(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK)
    store, ids = control_images(run, "twin")
    files = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    more, further = control_images(run.at(n_samples=11), "twin")
    assert more is store and further[: len(ids)] == ids and len(further) == 11
    assert all(path.stat().st_mtime_ns == when for path, when in files.items())
    wanted = run.proposer().fitted(run.reference_pictures(), run.reference_pictures)
    assert torch.equal(store.read(ids), to_bytes(torch.cat(list(wanted.items(Acceptance())))))


def test_another_seed_or_level_has_other_controls(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK)
    twin, wiener = (control_images(run, name)[0].folder for name in ("twin", "wiener"))
    other = run.at(level=300)
    assert control_images(other, "twin")[0].folder == twin  # pixels have no level
    assert control_images(other, "wiener")[0].folder != wiener
    assert control_images(run.at(seed=1), "twin")[0].folder != twin


def test_a_run_may_have_no_control(tmp_path: Path) -> None:
    assert controls_of(made(tmp_path, *QUICK, "control=[]")) == {}


def test_a_control_that_cannot_be_made_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = made(tmp_path, *QUICK)
    real = control.control_images

    def fails(run: Any, name: str) -> Any:
        if name == "twin":
            raise UserError("expected 8 latents, but only 2 passed.")
        return real(run, name)

    monkeypatch.setattr(control, "control_images", fails)
    assert set(controls_of(run)) == {"average", "wiener"}
    assert "No control twin: expected 8 latents, but only 2 passed." in caplog.text

    def gone(run: Any, name: str) -> Any:
        raise Gone("damaged")

    monkeypatch.setattr(control, "control_images", gone)
    with pytest.raises(Gone):
        controls_of(run)
