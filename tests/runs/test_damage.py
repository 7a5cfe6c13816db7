"""A damaged store costs a run nothing but the work: the results are those of a whole one."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ood_diffusion import generate, invert
from ood_diffusion.checks import UserError
from ood_diffusion.cli import check_command
from ood_diffusion.report.results import Results
from ood_diffusion.runs.execute import keep_accounts, run_in_order
from ood_diffusion.runs.run import Run
from tests.cli import QUICK, TINY, results, run_cli
from tests.lightning.networks import gaussian_model
from tests.runs.test_run import made
from tests.storage.test_damage import flipped, zeroed

STAGES = ["invert", "reconstruct", "sample", "evaluate"]
KINDS = ["pictures", "latents", "draws", "images", "features"]


def run(folder: Path, stages: list[str] = STAGES, *overrides: str) -> Results:
    return ran(folder, stages, *overrides)[1]


def ran(folder: Path, stages: list[str], *overrides: str) -> tuple[Run, Results]:
    made_run, results = made(folder, *QUICK, f"stages=[{','.join(stages)}]", *overrides), Results()
    account = partial(keep_accounts, made_run, results, made_run.model.digest())
    run_in_order(made_run, made_run.stages, results, account)
    return made_run, results


def figures(found: Results) -> dict[str, Any]:
    return {name: found[name] for name in ("reconstruct", "sample", "latents", "metrics")}  # type: ignore[literal-required]


def shards(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / "store" / kind).glob("*/shards/*.safetensors"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, figures(run(folder))


def copy(whole: tuple[Path, dict[str, Any]], folder: Path) -> None:
    shutil.copytree(whole[0] / "store", folder / "store")


def test_every_shard_of_every_kind_damaged(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Features, the images they come from, the draws these come from: one round after another."""
    copy(whole, tmp_path)
    damaged = [shard for kind in KINDS for shard in shards(tmp_path, kind)]
    for shard in damaged:
        flipped(shard)
    assert figures(run(tmp_path)) == whole[1]
    for shard in damaged:
        assert [f"{shard} is damaged" in line for line in caplog.messages].count(True) == 1


def test_a_run_that_cannot_make_it_says_so(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    copy(whole, tmp_path)
    shutil.rmtree(tmp_path / "store" / "draws")
    zeroed(shards(tmp_path, "latents")[0])
    with pytest.raises(UserError, match=r"latents.* are damaged or were deleted"):
        run(tmp_path, ["sample"])
    assert figures(run(tmp_path)) == whole[1]


def test_a_damaged_account_of_the_draws_is_made_again(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    copy(whole, tmp_path)
    (account,) = (tmp_path / "store").rglob("acceptance.json")
    account.write_bytes(account.read_bytes().replace(b'accepted\\": 8', b'accepted\\": 9'))
    assert figures(run(tmp_path)) == whole[1]


def test_a_store_deleted_in_mid_run_is_made_again(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ood_diffusion.stages import evaluate

    judge, gone = evaluate.features_in_order, list[bool]()

    def after_a_deletion(run: Run, *arguments: Any) -> Any:
        if not gone:
            shutil.rmtree(tmp_path / "store")
            gone.append(True)
        return judge(run, *arguments)

    monkeypatch.setattr(evaluate, "features_in_order", after_a_deletion)
    found = run(tmp_path)
    assert gone and figures(found) == whole[1]
    account = json.loads((tmp_path / "results.json").read_text())
    assert account["cost"]["network_calls"]["invert"] == 2 * 12 * 2  # twice, and twice counted


def test_readonly_with_everything_and_without(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    copy(whole, tmp_path)
    assert figures(run(tmp_path, STAGES, "store_mode=readonly")) == whole[1]
    with pytest.raises(UserError, match=r"store_mode=readonly needs .*draws"):
        run(tmp_path, ["sample"], "store_mode=readonly", "seed=7")


def test_fresh_makes_everything_again(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    copy(whole, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.safetensors")}
    again, found = ran(tmp_path, STAGES, "store_mode=fresh")
    assert figures(found) == whole[1] and again.model.network_calls == 2 * (12 + 12 + 8)
    assert all(path.stat().st_mtime_ns != when for path, when in before.items())
    assert before.keys() == set((tmp_path / "store").rglob("*.safetensors"))


FORBIDDEN: list[str] = []


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """What an operating system does where the user may not write; tests run as root, who may."""
    changes = event in ("os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink")
    changes |= event == "os.mkdir" and not os.path.isdir(arguments[0])
    changes |= event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if FORBIDDEN and changes and str(arguments[0]).startswith(FORBIDDEN[0]):
        raise PermissionError(13, "Permission denied", str(arguments[0]))


@pytest.fixture(scope="module")
def hook() -> None:
    sys.addaudithook(refuse)  # can never be taken away


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    FORBIDDEN[:] = [str(folder)]
    try:
        yield
    finally:
        FORBIDDEN.clear()


def test_a_folder_without_write_permission_that_has_everything(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, hook: None
) -> None:
    copy(whole, tmp_path)
    with unwritable(tmp_path / "store"):
        assert figures(run(tmp_path)) == whole[1]
        with pytest.raises(PermissionError):
            run(tmp_path, ["sample"], "seed=7")
        flipped_shard = shards(tmp_path, "features")[0]
    flipped(flipped_shard)
    with unwritable(tmp_path / "store"), pytest.raises(PermissionError):
        run(tmp_path)
    assert figures(run(tmp_path)) == whole[1]


def test_calls_from_python_make_it_again(tmp_path: Path) -> None:
    model = gaussian_model()
    images = torch.randint(256, (3, 3, 8, 8), dtype=torch.uint8)
    bank = invert(model, images, steps=2, store=tmp_path / "store")
    again = generate(model, bank, store=tmp_path / "store")
    for kind in ("latents", "images"):
        for shard in shards(tmp_path, kind):
            flipped(shard)
    assert torch.equal(invert(model, images, steps=2, store=tmp_path / "store").values, bank.values)
    assert torch.equal(generate(model, bank, store=tmp_path / "store"), again)
    assert len(list((tmp_path / "store").rglob("*.damaged"))) == 2


def test_a_dry_run_leaves_damage_where_it_is(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    copy(whole, tmp_path)
    zeroed(shards(tmp_path, "latents")[0])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    done = run_cli(tmp_path, *QUICK, *TINY, "store=store", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == before


def test_a_failed_run_leaves_no_results_of_an_earlier_one(tmp_path: Path) -> None:
    job = [*QUICK, *TINY, "stages=[invert]", "hydra.run.dir=run"]
    assert run_cli(tmp_path, *job).returncode == 0
    (earlier,) = results(tmp_path)
    assert run_cli(tmp_path, *job, "eta=7").returncode == 2
    assert results(tmp_path) == [] and (tmp_path / "run" / "error.txt").exists()
    assert (tmp_path / "run" / "results.previous.json").exists() and earlier  # not lost
    assert run_cli(tmp_path, *job).returncode == 0
    assert len(results(tmp_path)) == 1 and not (tmp_path / "run" / "results.previous.json").exists()


def test_two_runs_of_a_sweep_are_not_given_one_folder(tmp_path: Path) -> None:
    sweep = ["hydra.sweep.dir=sweep", "hydra.sweep.subdir=same", "eta=0,0.5"]
    done = run_cli(tmp_path, "-m", *QUICK, *TINY, "stages=[invert]", *sweep)
    assert done.returncode == 2 and "each run needs its own folder" in done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.rglob("error.txt"))
    assert len(results(tmp_path)) == 1


@pytest.mark.parametrize(
    "place", ["store=file", "store=link", "store=loop", "store=kinds", "store=" + 300 * "x"]
)
def test_a_store_that_can_be_none_is_a_user_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "pictures").symlink_to("nowhere")
    done = run_cli(tmp_path, *QUICK, *TINY, "stages=[invert]", place)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_deleted_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UserError, match="it was deleted"):
        check_command([])
