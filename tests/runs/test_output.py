"""What the real command prints, on a terminal and into files, for people and for scripts."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ood_diffusion.report.collect.run_folder import differing, find_runs
from ood_diffusion.runs.sweep import Sweep, print_others, print_results
from tests.cli import TINY, environment_with, run_cli
from tests.report.fake import STAGES, write_run
from tests.report.fake import results as fake_results

SHORT = [*TINY, "stages=[invert,sample]"]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a run has filled the store, and what it wrote to a terminal of 80 columns."""
    folder = tmp_path_factory.mktemp("terminal")
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "ood_diffusion", *SHORT]
    environment = environment_with(COLUMNS="", TERM="xterm-256color")
    run = subprocess.Popen(command, cwd=folder, env=environment, stdout=side, stderr=side, stdin=side)
    os.close(side)
    written = b""
    while part := read(main):
        written += part
    os.close(main)
    assert run.wait() == 0, written
    return folder, written.decode()


def read(terminal: int) -> bytes:
    """What has been written; empty when nobody can write any more."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way of saying so
        return b""


def lines_of(written: str) -> list[str]:
    """Every state of every line, without colours and cursor movements."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written))


def test_a_terminal_of_80_columns(terminal: tuple[Path, str]) -> None:
    lines = lines_of(terminal[1])
    assert max(len(line) for line in lines if "Report" not in line) <= 80
    for stage, count, calls in (("invert", "12/12", 24), ("sample", "8/8", 16)):
        live = [line for line in lines if line.startswith(stage)]
        assert any(re.search(rf" {count} .* images/s +{calls} calls .*[MG]iB", line) for line in live), live
        (ended,) = [line for line in lines if line.startswith(f"✓ {stage}")]
        assert f" {calls} calls · " in ended and ended.endswith(" images/s")
    assert any("drawn by cats_64" in line for line in lines)


def test_a_file_gets_plain_lines(terminal: tuple[Path, str]) -> None:
    done = run_cli(terminal[0], *SHORT)
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stdout + done.stderr and "\x1b" not in done.stdout + done.stderr
    assert re.findall(r"✓ (\w+) +(\d+) found in the store", done.stderr) == [
        ("invert", "12"),
        ("sample", "8"),
    ]
    assert done.stderr.startswith("The network computes on the CPU (")
    assert done.stderr.splitlines()[3:] == [f"0 items made, 20 found in {terminal[0] / 'outputs/store'}"]
    assert "drawn by cats_64" in done.stdout


def test_quiet_prints_nothing(terminal: tuple[Path, str]) -> None:
    done = run_cli(terminal[0], *SHORT, "output=quiet", "hydra.run.dir=quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "✓ invert" in (terminal[0] / "quiet" / "cli.log").read_text(encoding="utf-8")


def test_json_of_a_sweep_is_a_line_per_run_even_where_one_fails(terminal: tuple[Path, str]) -> None:
    grid = ["-m", *SHORT, "logger=wandb", "logger.mode=offline", "eta=0,7,1", "output=json"]
    done = run_cli(terminal[0], *grid)
    assert done.returncode == 2 and done.stderr.count("error: eta must lie between 0") == 1
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [found["coordinates"]["eta"] for found in runs] == [0.0, 1.0]
    for found in runs:
        whole = json.loads(Path(found["results"]).read_text())
        assert found["cost"] == whole["cost"] and found["coordinates"] == whole["coordinates"]
        assert Path(found["folder"]).is_dir() and found["report"] is None
    assert done.stderr.splitlines()[-2].startswith("error:") and "✓" not in done.stderr


def test_json_of_a_dry_run(terminal: tuple[Path, str]) -> None:
    done = run_cli(terminal[0], "-m", *SHORT, "eta=0,7", "dry_run=true", "output=json")
    planned, wrong = (json.loads(line) for line in done.stdout.splitlines())
    assert planned["network_calls"]["sample"] == {"least": 0, "most": 0} and planned["mistake"] is None
    assert "eta must lie" in wrong["mistake"] and done.returncode == 2 and "1 of 2 runs" in done.stderr


@pytest.mark.parametrize("wrong", ["output=loud", "eta=7"])
def test_a_mistake_is_said_on_standard_error(wrong: str, tmp_path: Path) -> None:
    done = run_cli(tmp_path, *SHORT, "output=json", wrong)
    assert done.returncode == 2 and done.stdout == ""
    assert f"error: {wrong.split('=')[0]} must" in done.stderr and "Traceback" not in done.stderr


def test_runs_of_other_processes_are_printed_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those that are complete, new, and have not been printed."""
    monkeypatch.setattr(Sweep, "path", None)
    found: Any = fake_results()
    found["cost"]["seconds"] = dict.fromkeys(STAGES, 1.0)
    write_run(tmp_path / "0", found=found)
    settings = {"output": "json", "hydra": {"sweep": {"dir": f"{tmp_path}/0/.."}}}
    Sweep().on_multirun_start(OmegaConf.create(settings))
    write_run(tmp_path / "10", found=found)
    write_run(tmp_path / "2", found=found)
    write_run(tmp_path / "3", found=found, error="out of memory")
    write_run(tmp_path / "4", found={"cost": {"seconds": {"invert": 1.0}}})
    write_run(tmp_path / "5", found=found)
    print_results(tmp_path / "5" / "results.json")  # by this process, under the name that Hydra gives it
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "5")
    print_others()
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["folder"]).name for line in printed] == ["2", "10"]
    assert printed[0]["metrics"]["sets"] == found["metrics"]["sets"]
    print_others()
    assert capsys.readouterr().out == ""


def test_output_is_no_coordinate(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "output=json", "eta=0", output="json", eta=0)
    write_run(tmp_path / "1", "eta=1", output="rich", eta=1)
    assert differing(find_runs(tmp_path)) == ["eta"]
