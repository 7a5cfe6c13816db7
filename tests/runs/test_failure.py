"""A run that fails leaves the reason in its folder, and `collect` reads it out."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from ood_diffusion.checks import UserError
from ood_diffusion.report.collect.run_files import NOT_BEGUN
from ood_diffusion.runs.failure import occupied, part_of, recorded, targets
from ood_diffusion.runs.outcome import RankFailure, RunFailure
from tests.cli import QUICK, TINY, run_cli


def fail(folder: Path, error: BaseException) -> str | None:
    with pytest.raises(type(error)), recorded(folder):
        raise error
    path = folder / "error.txt"
    return path.read_text() if path.exists() else None


def test_what_is_written(tmp_path: Path) -> None:
    error = UserError("eta must be small, but got 7. Lower it.")
    assert fail(tmp_path, error) == f"{error}\n{NOT_BEGUN}\n"
    for other in (RunFailure("no"), OSError(28, "No space left")):
        assert NOT_BEGUN not in str(fail(tmp_path, other))
    (tmp_path / "results.json").write_text("{}")  # of an earlier attempt
    assert fail(tmp_path, error) == f"{error}\n"


def test_a_new_attempt_begins_without_and_a_process_that_leaves_writes_none(tmp_path: Path) -> None:
    (tmp_path / "error.txt").write_text("old")
    with recorded(tmp_path):
        assert not (tmp_path / "error.txt").exists()
    assert fail(tmp_path, SystemExit(3)) is None
    assert fail(tmp_path, KeyboardInterrupt()) is None


def test_a_folder_in_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="in which another process runs"):
        occupied(tmp_path).__enter__()
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "results.json"}
    (tmp_path / ".x.1.part").write_text("what a killed run left")
    with occupied(tmp_path):
        assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("status", "raised"), [(1, RunFailure), (2, UserError)])
def test_what_a_rank_wrote_is_kept_and_said(status: int, raised: type[Exception], tmp_path: Path) -> None:
    error = UserError("eta must be small") if status == 2 else RunFailure("out of memory")
    with pytest.raises(raised) as said, recorded(tmp_path):
        with pytest.raises(raised), recorded(tmp_path, first=False):
            raise error
        with pytest.raises(ValueError), recorded(tmp_path, first=False):
            raise ValueError("another rank, a little later")
        raise RankFailure(1, status)
    assert str(said.value) == str(error)
    assert (tmp_path / "error.txt").read_text() == f"{error}\n" + f"{NOT_BEGUN}\n" * (status == 2)


def test_a_rank_says_what_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError), recorded(tmp_path / "file/run", first=False):
        raise UserError("No space is left.")
    assert capsys.readouterr().err == "error: No space is left.\n"


def test_a_rank_that_wrote_nothing(tmp_path: Path) -> None:
    assert "rank 1 was killed by signal 9" in str(fail(tmp_path, RankFailure(1, -9)))


def test_a_sweep_with_a_bad_run_is_collected(tmp_path: Path) -> None:
    assert (
        run_cli(tmp_path, "-m", *TINY, *QUICK, "stages=[invert]", "eta=7,0", "hydra.sweep.dir=s").returncode
        == 2
    )
    done = run_cli(tmp_path, "collect", "s")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert "1 of 1 runs are complete.\nrefused: run 0: eta must lie between 0" in done.stdout
    assert (tmp_path / "s" / "0" / "error.txt").exists() and not (tmp_path / "s" / "1" / "error.txt").exists()

    fixed = run_cli(tmp_path, "-m", *TINY, *QUICK, "stages=[invert]", "eta=1,0", "hydra.sweep.dir=s")
    assert fixed.returncode == 0, fixed.stderr
    assert (tmp_path / "s" / "2" / "results.json").exists()  # nobody asks for what failed any more
    shutil.rmtree(tmp_path / "s" / "0")
    done = run_cli(tmp_path, "collect", "s")
    assert done.returncode == 0 and "2 of 2 runs are complete" in done.stdout
    assert run_cli(tmp_path, "collect", "nowhere").returncode == 2
    assert run_cli(tmp_path, "collect").returncode == 2


def test_an_error_of_a_stage_is_not_blamed_on_a_part() -> None:
    settings = {"training": {"_target_": "ood_diffusion.runs.training_settings.TrainingSettings"}}
    modules = dict(targets({**settings, "prior": {"_target_": "mine.Prior"}}))
    assert part_of("ood_diffusion.runs.run", modules) == "" and part_of("mine", modules) == "prior"
