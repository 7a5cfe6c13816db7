"""A real SLURM: sweeps as job arrays, waited for or left, ranks as tasks, pre-emption, dead jobs."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from tests.cli import GATED, LIMIT, QUICK, ROOT, TINY, calls, environment_with, results, run_cli
from tests.report import offline_log
from tests.runs.test_search import SMALL, study_in
from tests.scale.test_ranks import items


@cache
def partitions() -> set[str]:
    if shutil.which("sinfo") is None:
        return set()
    asked = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, check=False)
    return {name.rstrip("*") for name in asked.stdout.split()}


pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not partitions(), reason="needs a SLURM that answers `sinfo` (.ci/run starts one)"),
]
SLURM = ["-m", "launcher=slurm", "hydra.launcher.array_parallelism=2", "hydra.sweep.dir=sweep"]
SLURM += ["hydra.launcher.cpus_per_task=1"]  # of a machine with two

LONG = [*TINY, *GATED, "n_references=16", "stages=[invert]"]
"""What is done to it after its first batch finds it in the second."""
Started = Mapping[object, tuple[Path, "subprocess.Popen[str]"]]


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No job of another process's tests is in the cluster."""
    with FileLock(tmp_path_factory.getbasetemp().parent / "slurm.lock"):
        yield


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Sweeps of which one of two tasks was killed, by its rank; submitit looks once a minute how they end."""
    begun = {}
    for rank in (0, 1):
        folder = tmp_path_factory.mktemp(f"killed_{rank}")
        begun[rank] = folder, submit(folder, *LONG, "trainer=ddp", "trainer.devices=2")
    left = dict(begun)
    while left:  # each takes the whole machine, in whichever order
        rank = next((rank for rank, (folder, _) in left.items() if shards(folder)), None)
        if rank is not None:
            folder, _ = left.pop(rank)
            os.kill(task(folder, rank), signal.SIGKILL)
            (folder / "go").touch()
        assert all(launcher.poll() is None for _, launcher in left.values())
        time.sleep(0.1)
    yield begun
    ended(begun)


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run on two ranks that was submitted and left: its folder and its job."""
    folder = tmp_path_factory.mktemp("queued")
    ranks = ["trainer=ddp", "trainer.devices=2"]
    return folder, left(folder, "--time", "60", "-m", *TINY, *QUICK, "stages=[invert]", *ranks)


def left(folder: Path, *words: str) -> str:
    """The job that `ood-diffusion submit` leaves to the cluster."""
    done = run_cli(folder, "submit", "--cpus-per-task=1", *words, "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert "ood-diffusion collect sweep" in done.stderr and "ood-diffusion resume sweep" in done.stderr
    return done.stderr.partition("Submitted job ")[2].partition(" ")[0]


def states(job: str) -> list[str]:
    """Of the tasks that have not ended."""
    asked = ["squeue", "--noheader", "--array", f"--jobs={job}", "--format=%T"]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=LIMIT).stdout.split()


def ended(begun: Started) -> None:
    """Of those that no test has asked for."""
    for _, process in begun.values():
        process.kill()


def submit(folder: Path, *overrides: str) -> "subprocess.Popen[str]":
    """The launcher in the background."""
    return start(folder, "ood-diffusion", *SLURM, *overrides)


def start(folder: Path, *command: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment_with(PATH=f"{ROOT}/.venv/bin:{os.environ['PATH']}", **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(happened: Callable[[], object], launcher: "subprocess.Popen[str] | None" = None) -> None:
    while not happened():
        assert launcher is None or launcher.poll() is None, launcher.stdout and launcher.stdout.read()
        time.sleep(0.1)


def shards(folder: Path) -> list[Path]:
    return list(folder.glob("outputs/store/latents/*/shards/*.safetensors"))


@pytest.mark.usefixtures("killed", "queued")  # begun before: they wait long
def test_runs_at_once_make_the_fewest_calls(tmp_path: Path) -> None:
    """Two at a time on one store: the domain is inverted once, whoever comes first."""
    done = run_cli(tmp_path, *SLURM, *TINY, *QUICK, "eta=0,0.5", "stages=[invert,sample]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results(tmp_path)) == 2
    assert calls(tmp_path, "invert") == 12 * 2
    assert calls(tmp_path, "sample") == 2 * 8 * 2
    assert len({path.parent.name for path in (tmp_path / "sweep").rglob("results.json")}) == 2


def test_a_search_submits_a_round_and_waits_for_it(tmp_path: Path) -> None:
    """Each round is a job array, whose tasks return what Optuna is told before it proposes the next."""
    search = ["sweeper=optuna", "eta=interval(0,1)", "objective=fid", "hydra.sweeper.n_jobs=2"]
    done = run_cli(tmp_path, *SLURM, *SMALL, *search, "hydra.sweeper.n_trials=4")
    assert done.returncode == 0, done.stdout + done.stderr
    logs = (tmp_path / "sweep/logs").glob("*_*/*_0_log.out")
    tasks = sorted(tuple(map(int, log.parent.name.split("_"))) for log in logs)
    first, last = tasks[0][0], tasks[-1][0]
    assert first < last and tasks == [(first, 0), (first, 1), (last, 0), (last, 1)]
    told = [(each.params["eta"], each.value) for each in study_in(tmp_path / "sweep").trials]
    assert told == [
        (found["coordinates"]["eta"], found["metrics"]["sets"]["samples"]["fid"])
        for number in range(4)
        for found in results(tmp_path / "sweep" / str(number))
    ]


def test_ranks_as_tasks(tmp_path: Path) -> None:
    """A run on two tasks of one node makes what one process makes."""
    for name, more in (("one", []), ("two", [*SLURM, "trainer=ddp", "trainer.devices=2"])):
        (tmp_path / name).mkdir()
        done = run_cli(tmp_path / name, *more, *TINY, "stages=[invert]")
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = (items(tmp_path / name / "outputs/store", "latents") for name in ("one", "two"))
    assert len(one) == 12 and one.keys() == two.keys()
    assert all(torch.equal(one[i], two[i]) for i in one)
    assert calls(tmp_path / "one", "invert") == calls(tmp_path / "two", "invert")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_is_reported(rank: int, killed: Started) -> None:
    """kill -9 of one of two tasks: the launcher ends with an error, does not hang, and what is done stays."""
    folder, launcher = killed[rank]
    output, _ = launcher.communicate(timeout=LIMIT)
    assert launcher.returncode == 1 and output.count("\nerror:") == 1 and "Traceback" not in output, output
    assert shards(folder) and not list((folder / "outputs/store").rglob("*.part"))


def task(folder: Path, rank: int) -> int:
    """The process number of a task of the job that works in `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            own = (process / "environ").read_bytes().split(b"\0")
            here = (process / "cwd").readlink() == folder and b"_submit" in (process / "cmdline").read_bytes()
        except OSError:
            continue
        if here and f"SLURM_PROCID={rank}".encode() in own and b"SLURM_STEP_ID=0" in own:
            return int(process.name)
    raise AssertionError(f"no task {rank} works in {folder}")


def test_ranks_that_were_submitted(queued: tuple[Path, str]) -> None:
    folder, job = queued
    wait_for(lambda: not states(job))
    logs = "".join(path.read_text() for path in folder.glob("sweep/logs/*.log"))
    assert len(results(folder)) == 1 and calls(folder, "invert") == 12 * 2, logs


def test_a_partition_that_is_refused(tmp_path: Path) -> None:
    words = ["--partition=none", "-m", "eta=0,1", "hydra.sweep.dir=sweep"]
    done = run_cli(tmp_path, "submit", *words)
    assert done.returncode == 2 and "error: sbatch refused the runs: sbatch: error: " in done.stderr
    assert "invalid partition specified: none" in done.stderr and "Resume:" not in done.stderr
    assert not (tmp_path / "sweep/multirun.yaml").exists() and not (tmp_path / "sweep/array.sbatch").exists()


@pytest.mark.usefixtures("alone")
def test_submitted_requeued_and_one_wandb_run_each(tmp_path: Path) -> None:
    """A task is requeued three times, which leaves the W&B run that the first attempt has begun."""
    job = left(tmp_path, "-m", *LONG, "eta=0,1", "logger=wandb", "logger.mode=offline")

    def attempts(run: str) -> list[str]:
        return sorted(path.name for path in tmp_path.glob(f"sweep/{run}/wandb/offline-run-*"))

    for count in (1, 2, 3):
        wait_for(lambda count=count: len(attempts("0")) == count and len(attempts("1")) == 1)
        begun = attempts("0")[0]
        subprocess.run(["scontrol", "requeue", f"{job}_0"], check=True, timeout=LIMIT)
    wait_for(lambda: len(attempts("0")) == 4)
    (tmp_path / "go").touch()
    wait_for(lambda: not states(job))
    assert len(results(tmp_path)) == 2 and calls(tmp_path, "invert") == 16 * 2
    (last,) = attempts("0")
    assert last != begun and last.split("-")[-1] == begun.split("-")[-1]
    ended = [offline_log.records(tmp_path / "sweep" / run) for run in "01"]
    groups = {record.run.run_group for records in ended for record in records if record.run.run_id}
    assert groups == {"sweep"}
    ends = [r.exit for records in ended for r in records if r.WhichOneof("record_type") == "exit"]
    assert [end.exit_code for end in ends] == [0, 0]
    nothing = run_cli(tmp_path, "resume", "sweep")
    assert nothing.returncode == 0 and nothing.stderr == "2 of 2 runs are complete in sweep\n"


@pytest.mark.usefixtures("alone")
@pytest.mark.skipif("high" not in partitions(), reason="needs a partition `high` that pre-empts")
def test_preempted_requeued_and_finished(tmp_path: Path) -> None:
    launcher = submit(tmp_path, *LONG)
    wait_for(lambda: shards(tmp_path), launcher)
    before = {path: path.stat().st_mtime_ns for path in shards(tmp_path)}
    cores = str(os.cpu_count())
    subprocess.run(["srun", "--partition=high", f"--ntasks={cores}", "true"], check=True, timeout=LIMIT)
    (tmp_path / "go").touch()
    output, _ = launcher.communicate(timeout=LIMIT)
    assert launcher.returncode == 0, output
    logs = "".join(path.read_text() for path in (tmp_path / "sweep/logs").rglob("*log.out"))
    assert "Requeued job" in logs
    assert all(path.stat().st_mtime_ns == written for path, written in before.items()), "work was redone"
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    (undisturbed / "go").touch()
    assert run_cli(undisturbed, *LONG).returncode == 0
    one, two = items(undisturbed / "outputs/store", "latents"), items(tmp_path / "outputs/store", "latents")
    assert len(one) == 16 and one.keys() == two.keys() and all(torch.equal(one[i], two[i]) for i in one)
