"""A sweep goes on in its own folder: what is complete stays, the rest runs in place, numbers are kept."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ood_diffusion.checks import UserError
from ood_diffusion.report.collect.rows import find
from ood_diffusion.report.collect.sweep_size import combinations
from ood_diffusion.runs.resume import numbered, resume, submit, to_do
from tests.cli import MEANS, QUICK, TINY, results, run_cli
from tests.report.fake import STAGES, write_run
from tests.report.fake import results as fake_results

NUMBERED = "${hydra.job.num}"


def complete(folder: Path, *overrides: str) -> None:
    found: Any = fake_results()
    found["cost"]["seconds"] = dict.fromkeys(STAGES, 1.0)
    write_run(folder, *overrides, found=found)


def left(folder: Path, *overrides: str, subdir: str = NUMBERED, dry: bool = False) -> dict[str, str]:
    """Folder -> what varies, of the runs that are to be done."""
    jobs, _ = to_do(folder, combinations(overrides), subdir, dry)
    return {job[-1].removeprefix("hydra.sweep.subdir=").strip("'"): " ".join(job[:-1]) for job in jobs}


def test_a_new_sweep_is_numbered_as_hydra_does(tmp_path: Path) -> None:
    assert left(tmp_path / "none", "eta=0,1", "seed=5,6") == {
        "0": "eta=0 seed=5",
        "1": "eta=0 seed=6",
        "2": "eta=1 seed=5",
        "3": "eta=1 seed=6",
    }


def test_what_is_not_complete_has_its_number_again(tmp_path: Path) -> None:
    complete(tmp_path / "0", "eta=0")
    write_run(tmp_path / "1", "eta=0.5", error="no")
    write_run(tmp_path / "3", "eta=1")  # 2 was not begun: tasks of an array begin in any order
    assert left(tmp_path, "eta=0,0.5,0.7,1,0.9") == {
        "1": "eta=0.5",
        "2": "eta=0.7",
        "3": "eta=1",
        "4": "eta=0.9",
    }
    assert left(tmp_path, "eta=0") == {}


def test_hydras_numbers_are_those_of_the_folders(tmp_path: Path) -> None:
    for done in (0, 2, 5):
        complete(tmp_path / str(done), f"eta={done / 10}")
    jobs, _ = to_do(tmp_path, combinations(["eta=0.0,0.1,0.2,0.3,0.4,0.5"]), NUMBERED)
    assert [(first, [job[0] for job in some]) for first, some in numbered(jobs)] == [
        (1, ["eta=0.1"]),
        (3, ["eta=0.3", "eta=0.4"]),
    ]
    assert numbered([]) == [] and numbered(named := [["eta=0", "hydra.sweep.subdir='a 1'"]]) == [(0, named)]


def test_how_runs_are_carried_out_makes_them_no_others(tmp_path: Path) -> None:
    complete(tmp_path / "0", "eta=0", "launcher=slurm", "trainer.devices=2", "logger.group=a")
    assert left(tmp_path, "eta=0,1", "output=json", "logger=none") == {"1": "eta=1 output=json logger=none"}
    varied = left(tmp_path, "eta=0", "trainer.devices=1,2")
    assert varied == {"1": "eta=0 trainer.devices=1"}, "what the sweep varies makes a run"


def test_what_changes_no_result_makes_no_other_run(tmp_path: Path) -> None:
    """Such as a smaller batch after one that was too large for the memory."""
    complete(tmp_path / "0", "eta=0", "batch_size=32")
    how = ("batch_size=8", "store_mode=readonly", "store=a", "checkpoints=b", "data=c", "objective=fid")
    assert left(tmp_path, "eta=0,1", *how) == {"1": f"eta=1 {' '.join(how)}"}
    assert list(left(tmp_path, "eta=0", "batch_size=8,32")) == ["1"], "unless the sweep varies it"
    assert list(left(tmp_path, "eta=0", "steps=8")) == ["1"]


def test_of_two_runs_alike_the_complete_one_counts(tmp_path: Path) -> None:
    complete(tmp_path / "0", "eta=0")
    write_run(tmp_path / "1", "eta=0", error="no")
    assert left(tmp_path, "eta=0") == {}


@pytest.mark.parametrize("subdir", ["run_${hydra.job.num}", "${hydra.job.override_dirname}", "same"])
def test_folders_of_other_names(subdir: str, tmp_path: Path) -> None:
    complete(tmp_path / "a b/run_0", "eta=0")
    write_run(tmp_path / "run_0", "eta=1")
    new = "run_1" if NUMBERED in subdir else subdir
    assert left(tmp_path, "eta=0,1,0.5", subdir=subdir) == {"run_0": "eta=1", new: "eta=0.5"}


def test_a_plan_touches_no_run(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "eta=1", dry_run=True)
    assert left(tmp_path, "eta=0,1", dry=True) == {"0": "eta=0", "1": "eta=1"}
    write_run(tmp_path / "1", "eta=0", error="no")
    assert left(tmp_path, "eta=0,1", dry=True) == {".dry_run/1": "eta=0", ".dry_run/0": "eta=1"}


def sweep_of(folder: Path, *task: str, hydra: tuple[str, ...] = (), cwd: str = "") -> None:
    """`multirun.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [{"path": f"{cwd}/mine", "provider": "command-line"}]
    runtime = {"choices": {"hydra/sweeper": "grid"}, "cwd": cwd, "config_sources": sources}
    found = {"overrides": {"task": [*task], "hydra": [*hydra]}, "sweeper": {}, "runtime": runtime}
    (folder / "multirun.yaml").write_text(yaml.safe_dump({"hydra": found, "store": "outputs/store"}))


def test_another_space_counts_its_own_runs(tmp_path: Path) -> None:
    """Runs of an earlier space are runs, but none of those that the present one still waits for."""
    complete(tmp_path / "0", "eta=0")
    complete(tmp_path / "1", "eta=1", "launcher=slurm")
    sweep_of(tmp_path, "eta=1,0.5,0.7")
    assert find(tmp_path).not_begun == {tmp_path: 2} and len(find(tmp_path).runs) == 2


def test_the_command_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    task = ("+stage@stage.mine=mine", "eta=0,1", "sampler=draw")
    hydra = ("hydra.launcher.n_jobs=2", "hydra.sweep.dir=x", "hydra.mode=MULTIRUN")
    sweep_of(tmp_path / "it's", *task, hydra=hydra, cwd=str(tmp_path / "work"))
    assert resume(["it's", "eta=0.5", "seed=1,2"]) == [
        *("-m", "--config-dir", "mine", "hydra.launcher.n_jobs=2", task[0], task[2]),
        *("eta=0.5", "seed=1,2", f"hydra.sweep.dir='{tmp_path}/it\\'s'"),
    ]
    monkeypatch.chdir(tmp_path)
    assert "hydra.launcher.n_jobs=2" not in resume(["it's", "launcher=basic"])
    assert Path.cwd() == tmp_path / "work", "relative paths start there"


def test_the_command_of_a_run(tmp_path: Path) -> None:
    write_run(tmp_path / "3", "eta=1", error="no")
    there = f"hydra.run.dir='{tmp_path}/3'"
    assert resume([str(tmp_path / "3")]) == ["hydra.mode=RUN", "eta=1", there]
    sweep_of(tmp_path, "eta=0,1")
    assert resume([str(tmp_path / "3")])[-2:] == [there, f"hydra.sweep.dir='{tmp_path}'"]


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"resume needs the folder of a sweep or of a run, but got '.*'\. Try"
    ):
        resume([str(tmp_path)])
    (tmp_path / "multirun.yaml").write_text("hydra: 5\nstore: s\n")
    with pytest.raises(UserError, match=r"cannot resume .*\. Start it anew, in another folder\."):
        resume([str(tmp_path)])


def test_options_of_sbatch_stand_before_m() -> None:
    assert submit(["--time", "4:00:00", "--comment=it's", "-m", "eta=0,1"]) == [
        *("-m", "eta=0,1", "launcher=submit"),
        "hydra.launcher.options=['--time','4:00:00','--comment=it\\'s']",
    ]
    with pytest.raises(UserError, match="submit needs -m between options of sbatch and settings"):
        submit(["eta=0,1"])


SWEEP = ["-m", *TINY, *QUICK, *MEANS, "stages=[invert,sample]", "hydra.sweep.dir=s"]


def test_a_sweep_goes_on_in_its_folder(tmp_path: Path) -> None:
    """Stopped by its first failure and resumed, each run has its folder, and the table counts each once."""
    begun = run_cli(tmp_path, *SWEEP, "eta=0,7,1", "fail_fast=true")
    assert begun.returncode == 2 and begun.stderr.count("error: eta must lie between 0") == 1
    assert begun.stderr.splitlines()[-1] == "Resume: ood-diffusion resume s"
    assert sorted(path.name for path in (tmp_path / "s").iterdir() if path.is_dir()) == ["0", "1"]
    assert find(tmp_path / "s").not_begun == {tmp_path / "s": 1}
    before = (tmp_path / "s/0/results.json").stat()
    planned = run_cli(tmp_path, "resume", "s", "eta=0,0.5,1", "dry_run=true")
    assert planned.returncode == 0, "fail_fast plans what is left"
    again = run_cli(tmp_path, "resume", "s", "eta=0,0.5,1", "fail_fast=false")
    assert again.returncode == 0, again.stderr
    assert "1 of 3 runs are complete in s\n" in again.stderr and "Resume:" not in again.stderr
    assert (tmp_path / "s/0/results.json").stat() == before, "a complete run is left alone"
    assert [f"#{number} :" in again.stderr for number in range(4)] == [False, False, True, True], "as folders"
    assert run_cli(tmp_path, "resume", "s/1", "eta=0.75").returncode == 0
    etas = {
        path.parent.name: results(path.parent)[0]["coordinates"]["eta"]
        for path in tmp_path.glob("s/*/results.json")
    }
    assert etas == {"0": 0, "1": 0.75, "2": 0.5, "3": 1}
    assert find(tmp_path / "s").shortfalls() == ["4 of 4 runs are complete."]
    assert run_cli(tmp_path, "resume", "s/1").stderr == "s/1 is complete\n"
    nothing = run_cli(tmp_path, "resume", "s")
    assert nothing.returncode == 0 and nothing.stderr == "3 of 3 runs are complete in s\n"


STUBS = {
    "sbatch": """cat > script; echo "$@" > options; [ ! -e refuse ] || { echo no >&2; exit 1; }; echo 7""",
    "srun": """echo "$SRUN_CPUS_PER_TASK" > cpus; kill -USR1 $PPID""",
    "scontrol": """echo "$@" > control""",
}
"""What of SLURM a submitted sweep calls."""


@pytest.fixture
def slurm(tmp_path: Path) -> str:
    """The path with `STUBS`, whose commands write into the working folder."""
    (tmp_path / "bin").mkdir()
    for name, text in STUBS.items():
        (tmp_path / "bin" / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return f"{tmp_path}/bin:{os.environ['PATH']}"


def test_a_task_requeues_itself_alone_and_has_its_cpus(tmp_path: Path, slurm: str) -> None:
    done = run_cli(tmp_path, "submit", "-m", "eta=0,1", "hydra.sweep.dir=s", PATH=slurm)
    assert done.returncode == 0, done.stderr
    assert "--cpus-per-task=8" in (tmp_path / "options").read_text()
    assert (tmp_path / "script").read_bytes() == (tmp_path / "s/array.sbatch").read_bytes()
    own = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1", "SLURM_JOB_ID": "7"}
    own |= {"SLURM_CPUS_PER_TASK": "8", "PATH": slurm}
    subprocess.run(["bash", "s/array.sbatch"], cwd=tmp_path, env={**os.environ, **own}, check=False)
    assert (tmp_path / "control").read_text() == "requeue 7_1\n"
    assert (tmp_path / "cpus").read_text() == "8\n"


def test_a_refused_submission_leaves_an_earlier_one(tmp_path: Path, slurm: str) -> None:
    (tmp_path / "refuse").touch()
    words = ("submit", "-m", "hydra.sweep.dir=s")
    refused = run_cli(tmp_path, *words, "eta=0,1", PATH=slurm)
    assert refused.returncode == 2 and not (tmp_path / "s").exists()
    (tmp_path / "refuse").unlink()
    assert run_cli(tmp_path, *words, "eta=0,1", PATH=slurm).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").glob("*.*")}
    (tmp_path / "refuse").touch()
    assert run_cli(tmp_path, *words, "eta=0,0.5", PATH=slurm).returncode == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").glob("*.*")} == before
    assert {*before} == {"multirun.yaml", "array.sbatch"}


def test_a_search_is_not_submitted(tmp_path: Path, slurm: str) -> None:
    done = run_cli(tmp_path, "submit", "-m", "+sweep=search", "hydra.sweep.dir=s", PATH=slurm)
    assert done.returncode == 2 and "set launcher=slurm" in done.stderr
    assert not (tmp_path / "s").exists() and not (tmp_path / "options").exists()


def test_submit_without_slurm(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    without = run_cli(tmp_path, "submit", "-m", "eta=0,1", PATH=str(tmp_path / "bin"))
    assert without.returncode == 2 and without.stderr.startswith("error: submit needs SLURM's sbatch")
    planned = run_cli(tmp_path, "submit", "-m", "eta=0,1", "dry_run=true")
    assert planned.returncode == 2 and "For a plan, leave out submit." in planned.stderr
    assert not (tmp_path / "outputs").exists()
