"""Two processes that want the same at once, on one store: it is made once; the death of one costs nothing."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import draw
from ood_diffusion.storage.store import TensorStore
from tests.cli import QUICK, TINY, calls, results, run_cli, run_forked
from tests.faults.test_kill_often import JOB
from tests.runs.test_run import made
from tests.scale.test_ranks import items

KILLS = 4


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run_cli(folder, *JOB).returncode == 0
    return folder


def complete(folder: Path) -> list[str]:
    """The metrics of every run that has come to its end."""
    return [str(found["metrics"]) for found in results(folder) if "metrics" in found]


def check_same(folder: Path, undisturbed: Path) -> None:
    for kind in ("latents", "draws", "images", "features"):
        ours, theirs = (items(place / "outputs/store", kind) for place in (folder, undisturbed))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[i], theirs[i]) for i in ours), kind
    assert set(complete(folder)) == set(complete(undisturbed))


def test_two_at_once_make_what_one_makes(undisturbed: Path, tmp_path: Path) -> None:
    done = run_forked(tmp_path, tuple(JOB), copies=2)
    assert done.returncode == 0, done.stderr
    assert len(complete(tmp_path)) == 2
    check_same(tmp_path, undisturbed)
    assert calls(tmp_path, "invert") == calls(undisturbed, "invert")


def test_the_death_of_one_costs_the_other_nothing(undisturbed: Path, tmp_path: Path) -> None:
    chance, found_dead = random.Random(1), 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        at, delay = chance.randint(0, 24), chance.uniform(0, 0.2)
        done = run_forked(folder, tuple(JOB), copies=2, kill_at=at, delay=delay)
        assert done.returncode == 0, done.stderr
        for shard in folder.rglob("*.safetensors"):
            load_file(shard)
        check_same(folder, undisturbed)
        found_dead += len(complete(folder)) == 1
    assert found_dead, "no kill came before the end"


def test_draws_that_another_process_made_meanwhile_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = (made(tmp_path, *QUICK, *TINY) for _ in range(2))
    invert(run)
    exclusive = TensorStore.exclusive

    @contextmanager
    def waiting(self: TensorStore, first: str = "") -> Iterator[None]:
        monkeypatch.setattr(TensorStore, "exclusive", exclusive)
        draw(other)
        with exclusive(self, first):
            yield

    monkeypatch.setattr(TensorStore, "exclusive", waiting)
    monkeypatch.setattr(run.prior, "fit", lambda _: pytest.fail("drawn again"))
    store, ids = draw(run)
    assert torch.equal(store.read(ids), draw(other)[0].read(ids))
