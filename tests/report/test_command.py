"""The command that is recorded runs one run again, alone, with the same configuration."""

import shlex
from pathlib import Path
from typing import Any

import yaml

from ood_diffusion.report.collect.run_folder import RunFolder, find_runs
from tests.cli import run_cli
from tests.report.fake import write_run


def run(folder: Path, *overrides: str) -> None:
    """Until the settings are found wrong (eta=7): by then Hydra has written the configuration."""
    done = run_cli(folder, *overrides)
    assert done.returncode == 2 and "eta" in done.stderr, done.stderr


def composed(left: RunFolder) -> Any:
    return yaml.safe_load((left.folder / ".hydra" / "config.yaml").read_text())


def test_a_run_of_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "again").mkdir()
    (tmp_path / "conf" / "logger").mkdir(parents=True)
    (tmp_path / "conf" / "logger" / "mine.yaml").write_text("mode: disabled\n")
    run(
        tmp_path / "first",
        "+sweep=domain_gap",
        "-m",
        "logger=mine",
        *("--config-dir", "../conf"),
        "model=cats_64",
        "sampler.parents=3",
        "domain=radiation_sim",
        "eta=7",
    )
    (first,) = find_runs(tmp_path / "first")
    words = shlex.split(first.command)
    assert words[:3] == ["ood-diffusion", "--config-dir", "../conf"] and words[-1] == "hydra.mode=RUN"
    run(tmp_path / "again", *words[1:])
    (again,) = find_runs(tmp_path / "again")
    assert again.folder.parent.name == "runs"  # one run, no sweep
    assert composed(again) == composed(first) and again.choices == first.choices


def test_words_are_quoted_for_a_shell(tmp_path: Path) -> None:
    overrides = ["domain.path=my images; rm -rf $HOME", "stages=[invert,sample]", "n_references=8"]
    write_run(tmp_path / "0", *overrides)
    told = RunFolder(tmp_path / "0").command
    assert (
        shlex.split(told) == ["ood-diffusion", *overrides] and "'domain.path=my images; rm -rf $HOME'" in told
    )
