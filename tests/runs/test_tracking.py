"""W&B from the real command: what results.json says is in the offline run, and nothing prompts or hangs."""

from pathlib import Path

import numpy as np
from PIL import Image

from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.results import PROVENANCE
from tests.cli import MEANS, QUICK, TINY, results, run_anew, run_cli
from tests.report import offline_log

WITHOUT_A_KEY = {"WANDB_API_KEY": "", "WANDB_MODE": ""}
SHEETS = {
    "pictures/references": "references.png",
    "pictures/reference_and_reconstruction": "reconstructions.png",
    "pictures/samples": "samples.png",
    "pictures/sample_and_nearest_reference": "samples_and_nearest.png",
}
"""Key in W&B -> the file of the report that shows the same; a tiny run has few enough for both."""


def test_offline_run_holds_the_results(tmp_path: Path) -> None:
    overrides = [word for word in TINY if not word.startswith("logger")]
    setting = "sampler.concentration=5"
    done = run_cli(tmp_path, *overrides, setting, HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0, done.stderr
    assert "offline" in done.stderr + done.stdout
    (r,) = results(tmp_path)
    figures = {name: found for name, found in r.items() if name not in ("schema", *PROVENANCE)}
    (run,) = (tmp_path / "outputs" / "runs").iterdir()
    logged = offline_log.history(run)
    summary = offline_log.summary(run)
    for path, value in flatten(figures).items():
        assert summary[path] == value and logged.get(path, value) == value
        assert isinstance(value, str) or path in logged
    config = offline_log.config(run)
    for name, value in r["coordinates"].items():
        assert config[name] == value and not isinstance(value, dict | list)
    assert config["conf"]["sampler"]["concentration"] == 5, "a setting is found by its dotted name"
    assert not [record for record in offline_log.records(run) if record.run.run_group], "a single run"
    files = next(run.glob("wandb/offline-run-*/files"))
    for name, png in SHEETS.items():
        found, made = (np.asarray(Image.open(x)) for x in (files / logged[name]["path"], run / png))
        np.testing.assert_array_equal(found, made)
        assert found.mean() > 8 and found.std() > 8, f"{name} is black"
    staged = [entry for record in offline_log.records(run) for entry in record.artifact.manifest.contents]
    pictures = {entry.path: Path(entry.local_path) for entry in staged if entry.path.endswith(".png")}
    assert len(pictures) > 20 and all(path.is_relative_to(run) for path in pictures.values())
    for path in pictures.values():
        assert np.asarray(Image.open(path)).std() > 2, "a picture of a table is of one colour"


def test_two_runs_of_a_sweep_are_two_in_wandb(tmp_path: Path) -> None:
    overrides = [word for word in TINY if not word.startswith("logger")]
    grid = ["-m", "eta=0,1", "stages=[invert,sample]"]
    done = run_cli(tmp_path, *grid, *overrides, *QUICK, HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0, done.stderr
    runs = sorted((tmp_path / "outputs" / "sweeps").glob("*/[0-9]"))
    assert [offline_log.history(run)["coordinates/eta"] for run in runs] == [0, 1]
    groups = {record.run.run_group for run in runs for record in offline_log.records(run)} - {""}
    assert groups == {runs[0].parent.name}, "the runs are one group, of this sweep"
    opened = sorted(runs[0].parent.glob("*/wandb/offline-run-*"))
    (runs[1] / "results.json").unlink()
    done = run_cli(tmp_path, "resume", str(runs[0].parent), HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0, done.stderr
    again = sorted(runs[0].parent.glob("*/wandb/offline-run-*"))
    assert again[0] == opened[0], "a complete run opens none"
    ids = [[path.name.split("-")[-1] for path in paths] for paths in (opened, again)]
    assert again[1] != opened[1] and ids[0] == ids[1]


def test_nothing_around_a_run_costs_its_results(tmp_path: Path) -> None:
    overrides = [word for word in (*TINY, *QUICK, *MEANS) if not word.startswith("logger")]
    odd = {"PYTHONIOENCODING": "ascii", "MPLBACKEND": "bogus", "WANDB_SILENT": "maybe"}
    done = run_anew(tmp_path, *overrides, **odd, HOME=str(tmp_path), **WITHOUT_A_KEY)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    (found,) = results(tmp_path)
    assert list(found["cost"]["seconds"]) == ["invert", "reconstruct", "sample", "evaluate", "report"]
    assert "FID ?" in done.stdout and done.stderr.count("W&B could not start offline") == 1
    (run,) = (tmp_path / "outputs" / "runs").iterdir()
    assert "FID" in (run / "report.html").read_text(encoding="utf-8")
