"""However a run ends, it is one line, a status, and the traceback nowhere but in the log file."""

import signal
import threading
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from ood_diffusion.lightning.predict import predict_into
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.runs.failure import explained
from ood_diffusion.runs.outcome import RunFailure
from ood_diffusion.storage.store import TensorStore
from tests.cli import QUICK, TINY, run_anew, run_cli
from tests.lightning.test_predict import make_trainer
from tests.lightning.test_writer import Steps

NETWORK = [*QUICK, "model.network._target_=tests.faults.parts.Ending"]
PRIOR = [*QUICK, "prior=standard_normal", "prior._target_=tests.faults.parts.FailingPrior"]
DDP = ["trainer=ddp", "trainer.devices=2"]


def one_line(stderr: str) -> str:
    """The only line that says why a run ended; joblib's tracker of resources may warn after it."""
    assert "Traceback" not in stderr
    (line,) = [line for line in stderr.splitlines() if "error:" in line]
    return line


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "ZeroDivisionError: in the network of a user."),
        ("long", "numbers numbers ...."),
        ("exit", "SystemExit."),
        ("cpu", "out of memory (RuntimeError: "),
        ("python", "out of memory (MemoryError)"),
        ("gpu", "out of memory (torch.OutOfMemoryError: CUDA"),
    ],
)
def test_what_a_network_raises(how: str, says: str, tmp_path: Path) -> None:
    done = run_cli(tmp_path, *TINY, *NETWORK, f"+model.network.how={how}", "hydra.run.dir=run")
    assert done.returncode == 1 and "Error executing" not in done.stderr
    said = one_line(done.stderr).removeprefix("error: ")
    assert said.startswith("model.network (") and "tests/faults/parts.py, line" in said and says in said
    assert ("Lower batch_size (now 4)" in said) == (how in ("cpu", "python", "gpu"))
    assert (tmp_path / "run/error.txt").read_text() == f"{said}\n"
    log = tmp_path / "run/cli.log"
    assert "Traceback (most recent call last)" in log.read_text() and said.endswith(f"is in {log}.")


@pytest.mark.parametrize("early", [True, False])
def test_what_a_prior_raises(early: bool, tmp_path: Path) -> None:
    done = run_cli(tmp_path, *TINY, *PRIOR, f"+prior.early={early}")
    assert done.returncode == 1
    said = one_line(done.stderr)
    assert said.startswith("error: prior (") and "tests/faults/parts.py, line" in said
    assert "ZeroDivisionError" in said


def test_a_thread_that_is_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    store = TensorStore(tmp_path, "source", {}, torch.float32)
    store.write(["a"], torch.ones(1, 1, 2, 2))
    target = TensorStore(tmp_path, "target", {}, torch.float32)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RunFailure) as failed, explained(tmp_path, OmegaConf.create()):
        predict_into(target, store, {"b": "a"}, Steps(), Ranks(make_trainer), 1, "steps")
    said = str(failed.value)
    assert (
        "ood_diffusion/lightning/" in said and "RuntimeError: can't start new thread. The traceback" in said
    )


def test_in_a_multirun_hydra_says_which_run_failed(tmp_path: Path) -> None:
    job = ["-m", "seed=0,1", *TINY, *NETWORK, "+model.network.how=raise", "hydra.sweep.dir=s"]
    done = run_cli(tmp_path, *job)
    assert done.returncode == 1 and done.stderr.count("Error executing job with overrides: ['seed=0'") == 1
    assert one_line(done.stderr).startswith("error: model.network (")
    for run in "01":
        assert (tmp_path / f"s/{run}/error.txt").read_text().startswith("model.network (")
        assert "Traceback (most recent call last)" in (tmp_path / f"s/{run}/cli.log").read_text()


@pytest.mark.parametrize("where", ["hydra", "torch"])
def test_ctrl_c_while_libraries_are_imported(where: str, tmp_path: Path) -> None:
    (tmp_path / f"{where}.py").write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGINT)})\n")
    done = run_anew(tmp_path, *TINY, *NETWORK)
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("error: ended by SIGINT. ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_no_other_run_of_a_sweep_begins_after_a_signal(number: int, tmp_path: Path) -> None:
    job = ["-m", "seed=0,1", *TINY, *NETWORK, f"+model.network.how='{int(number)}'", "hydra.sweep.dir=s"]
    done = run_cli(tmp_path, *job)
    assert done.returncode == 128 + number
    assert one_line(done.stderr).startswith(f"error: ended by {signal.Signals(number).name}. ")
    assert not (tmp_path / "s/1").exists()
    assert not (tmp_path / "s/0/error.txt").exists()  # unfinished, not failed


def test_sigusr1_ends_nothing(tmp_path: Path) -> None:
    how = f"+model.network.how='{int(signal.SIGUSR1)}'"
    done = run_cli(tmp_path, *TINY, *NETWORK, how, "stages=[invert]")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        (f"parent {int(signal.SIGINT)}", 130, "error: ended by SIGINT."),
        (str(int(signal.SIGKILL)), 1, "error: the process of a run was killed"),
    ],
)
def test_under_joblib(how: str, status: int, says: str, tmp_path: Path) -> None:
    job = ["-m", "launcher=joblib", "seed=0,1", *TINY, *NETWORK, f"+model.network.how='{how}'"]
    done = run_anew(tmp_path, *job)
    assert done.returncode == status, done.stderr
    assert one_line(done.stderr).startswith(says)


@pytest.mark.parametrize(
    ("how", "rank", "status", "says"),
    [
        ("raise", "null", 1, "error: model.network ("),
        (f"parent {int(signal.SIGINT)}", "1", 130, "error: ended by SIGINT."),
    ],
)
def test_on_ranks(how: str, rank: str, status: int, says: str, tmp_path: Path) -> None:
    ending = [f"+model.network.how='{how}'", f"+model.network.rank={rank}"]
    job = [*DDP, *TINY, *NETWORK, *ending, "hydra.run.dir=run"]
    done = run_cli(tmp_path, *job)
    assert done.returncode == status, done.stderr
    assert one_line(done.stderr).startswith(says)
    error = tmp_path / "run/error.txt"
    assert "tests/faults/parts.py" in error.read_text() if status == 1 else not error.exists()
