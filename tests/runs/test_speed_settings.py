"""Solvers, precision and batch size through the real command."""

from pathlib import Path

import pytest

from ood_diffusion.storage.record import read_record
from tests.cli import QUICK, TINY, results, run_cli

JOB = [*TINY, "n_references=4", "n_held_out=4", "stages=[invert,reconstruct]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store, one run per setting; `results` are in this order."""
    folder = tmp_path_factory.mktemp("speed")
    for setting in (
        ["steps=4"],
        ["steps=4", "precision=bf16"],
        ["steps=4", "precision=bf16"],
        ["steps=8", "level=300", "solver=fixed_point", "solver.tolerance=1e-4", *QUICK],
        ["solver=fixed_point", "solver.max_iterations=1"],
        ["batch_size=auto", *QUICK],
    ):
        done = run_cli(folder, *JOB, *setting)
        assert done.returncode == 0, done.stderr
        (folder / f"{len(results(folder))}.out").write_text(done.stderr)
    return folder


def inversions(result: dict) -> int:  # type: ignore[type-arg]
    calls: int = result["cost"]["network_calls"].get("invert", 0)
    return calls


def test_precisions_have_banks_of_their_own_and_each_is_made_once(folder: Path) -> None:
    exact, fast, again = results(folder)[:3]
    assert inversions(exact) == inversions(fast) == 4 * 4
    assert inversions(again) == 0
    assert exact["reconstruct"]["psnr_mean"] == pytest.approx(fast["reconstruct"]["psnr_mean"], abs=1.0)
    assert exact["reconstruct"]["psnr_mean"] != fast["reconstruct"]["psnr_mean"]
    assert fast["coordinates"]["precision"] == "bf16"


def test_images_per_second_counts_images_not_calls(folder: Path) -> None:
    cost = results(folder)[0]["cost"]
    assert cost["images_per_second"]["invert"] == pytest.approx(4 / cost["seconds"]["invert"], rel=0.01)


def test_fixed_point_reports_that_it_converged(folder: Path) -> None:
    report = results(folder)[3]["solver"]
    assert report["not_converged"] == 0 and 0 < report["largest_change"] <= 1e-4
    assert 1 < report["iterations_mean"] < 30
    assert results(folder)[3]["reconstruct"]["psnr_mean"] > 45  # eight steps of first order each way


def test_fixed_point_reports_what_did_not(folder: Path) -> None:
    report = results(folder)[4]["solver"]
    assert report["not_converged"] == 4 * 2 and report["iterations_mean"] == 1
    assert "fixed_point: 8 steps of an image had not converged" in (folder / "5.out").read_text()


def test_automatic_batch_size_is_kept_in_the_store(folder: Path) -> None:
    (kept,) = (folder / "outputs" / "store" / "batch_sizes").glob("*.json")
    assert read_record(kept) in [2**i for i in range(9)]
    assert results(folder)[5]["coordinates"]["batch_size"] == "auto"
