"""A real SLURM: sweeps as job arrays, ranks as tasks, pre-emption, dead jobs, plain sbatch."""

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
EXAMPLES = {"one_job.sbatch": ([], 1), "array.sbatch": (["--array=0-1"], 2)}
"""The examples for clusters without submitit: options, and how many runs each makes."""


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
def queued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The scripts of `EXAMPLES` as they are, all at once: `sbatch --wait` looks seldom how they end."""
    begun = {}
    for script, (options, _) in EXAMPLES.items():
        folder = tmp_path_factory.mktemp("queued")
        path, job = str(ROOT / "sweeps/slurm" / script), [*TINY[:-1], *QUICK, "stages=[invert]"]
        begun[script] = folder, start(folder, "sbatch", "--wait", *options, path, *job, WANDB_MODE="disabled")
    yield begun
    ended(begun)


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


def wait_for(happened: Callable[[], object], launcher: "subprocess.Popen[str]") -> None:
    while not happened():
        assert launcher.poll() is None, launcher.stdout and launcher.stdout.read()
        time.sleep(0.1)


def shards(folder: Path) -> list[Path]:
    return list(folder.glob("outputs/store/latents/*/shards/*.safetensors"))


def test_cells_at_once_make_the_fewest_calls(killed: Started, queued: Started, tmp_path: Path) -> None:
    """Two at a time on one store: the domain is inverted once, whoever comes first."""
    del killed, queued  # begun before: they wait long
    done = run_cli(tmp_path, *SLURM, *TINY, *QUICK, "eta=0,0.5", "stages=[invert,sample]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results(tmp_path)) == 2
    assert calls(tmp_path, "invert") == 12 * 2
    assert calls(tmp_path, "sample") == 2 * 8 * 2
    assert len({path.parent.name for path in (tmp_path / "sweep").rglob("results.json")}) == 2


def test_ranks_as_tasks(tmp_path: Path) -> None:
    """A cell on two tasks of one node makes what one process makes."""
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


@pytest.mark.parametrize("script", EXAMPLES)
def test_plain_sbatch(script: str, queued: Started) -> None:
    folder, waiting = queued[script]
    said, _ = waiting.communicate(timeout=LIMIT)
    logs = "".join(path.read_text() for path in folder.glob("*.log"))
    assert waiting.returncode == 0, said + logs
    assert len(results(folder)) == EXAMPLES[script][1] and calls(folder, "invert") == 12 * 2


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
