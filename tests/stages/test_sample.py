"""Latents to new latents: the same first ones whatever their number, from parts that stay as they are."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.priors.base import Prior
from ood_diffusion.report.results import Results
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import Sample, draw, geometry, latent_figures, nearest_reference, sample
from ood_diffusion.storage.record import read_record
from ood_diffusion.storage.shelf import on_disk
from tests.cli import QUICK
from tests.runs.test_run import made

PARTS = ("prior", "sampler", "selection")
CHOICES = [
    ("sampler=draw", "prior=gaussian"),
    ("sampler=draw", "prior=kde"),
    ("sampler=slerp",),
    ("sampler=linear_combination",),
    ("sampler=copy_references",),
    ("sampler=draw", "prior=gaussian", "selection=geometric"),
]


def inverted(folder: Path, *overrides: str) -> Run:
    run = made(folder, *QUICK, *overrides)
    invert(run)
    return run


def drawn(run: Run) -> Tensor:
    store, ids = draw(run)
    return store.read(ids)


def account(run: Run) -> dict[str, Any]:
    return read_record(draw(run)[0].folder / "acceptance.json")


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_the_first_of_a_larger_request_are_the_same(choice: tuple[str, ...], tmp_path: Path) -> None:
    run = inverted(tmp_path, *choice)
    few, more = drawn(run), drawn(run.at(n_samples=70))  # more than one block of proposals
    assert len(few) == 8 and len(more) == 70 and torch.equal(few, more[:8])
    assert not torch.equal(drawn(run.at(seed=1)), few)


def test_pure_noise_is_a_draw_of_the_standard_normal_prior_on_every_path(tmp_path: Path) -> None:
    exploding = ("schedule@model.schedule=karras", "level=1000")
    run = inverted(tmp_path, *exploding, "sampler=draw", "prior=standard_normal")
    spread = run.model.schedule.spread(1000)
    assert spread == pytest.approx(80, rel=1e-3)
    assert float(drawn(run).std()) == pytest.approx(spread, rel=0.05)
    found = Sample()(run, {})["latents"]
    assert found["samples"]["norm_mean"] == pytest.approx(found["isotropic"]["norm_mean"], rel=0.05)


def test_more_samples_cost_what_they_add(tmp_path: Path) -> None:
    run = inverted(tmp_path, "sampler=draw")
    store, ids = sample(run)
    before = run.model.network_calls
    more, others = sample(run.at(n_samples=12))
    assert run.model.network_calls - before == 4 * 2
    assert more.digests(others)[:8] == store.digests(ids)


def test_a_run_killed_before_its_account_writes_no_draw_again(tmp_path: Path) -> None:
    run = inverted(tmp_path, "sampler=draw")
    store, _ = draw(run)
    first, told = on_disk(store.folder), account(run)
    (store.folder / "acceptance.json").unlink()
    assert account(run) == told
    assert on_disk(store.folder) == first
    (store.folder / "acceptance.json").unlink()
    with pytest.raises(UserError, match=r"1 items are not in .* \(first: acceptance.json"):
        draw(made(tmp_path, *QUICK, "sampler=draw", "store_mode=readonly"))


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_the_parts_of_the_run_are_neither_fitted_nor_bound(choice: tuple[str, ...], tmp_path: Path) -> None:
    run = inverted(tmp_path, *choice)
    before = {name: dict(vars(getattr(run, name))) for name in PARTS}
    draw(run)
    assert {name: dict(vars(getattr(run, name))) for name in PARTS} == before


def test_drawn_once_whatever_the_eta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = inverted(tmp_path, "sampler=draw")
    found = Sample()(run, Results())
    calls = run.model.network_calls
    monkeypatch.setattr(type(run.prior), "fit", lambda *_: pytest.fail("fitted again"))
    assert Sample()(run, Results()) == found and run.model.network_calls == calls
    assert draw(run.at(eta=1))[0] is draw(run)[0]


def test_without_a_selection_every_proposal_is_kept(tmp_path: Path) -> None:
    found = account(inverted(tmp_path))
    assert (found["proposed"], found["accepted"], found["acceptance"]) == (8, 8, {})


def test_a_selection_that_nothing_passes_says_so_and_leaves_nothing_to_be_taken_for_draws(
    tmp_path: Path,
) -> None:
    strict = ("sampler=draw", "prior=gaussian", "selection=geometric", "selection.tolerance=1e-6")
    run = inverted(tmp_path, *strict, "selection.max_proposals=3")
    for _ in range(2):
        with pytest.raises(UserError, match=r"expected 8 latents, but only 0 of 24 proposals passed"):
            draw(run)


def test_a_bank_with_gaps_is_refused_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path, *QUICK)
    invert(run.at(subset=dict(list(run.references.items())[:5])))
    monkeypatch.setattr(Prior, "fit", lambda *_: pytest.fail("fitted"))
    with pytest.raises(UserError, match=r"7 are not there .* Run the stage that makes them first"):
        draw(run)


def test_orthogonal_latents_in_closed_form() -> None:
    latents = 5 * torch.eye(48).view(48, 3, 4, 4)
    assert geometry(latents) == pytest.approx(
        {
            "norm_mean": 5, "norm_sd": 0, "origin_angle_mean": 90, "origin_angle_sd": 0,
            "pair_distance_mean": 5 * math.sqrt(2), "pair_distance_sd": 0,
            "vertex_angle_mean": 60, "vertex_angle_sd": 0,
        },
        abs=1e-4,
    )  # fmt: skip
    halfway = (latents[0] + latents[1])[None] / 2
    for new, wanted in (
        (latents[3:5], 0),
        (0 * latents[:1], 1 / math.sqrt(2)),
        (halfway, 0.5),
        (-latents, 1),
    ):
        assert nearest_reference(new, latents) == pytest.approx(wanted, abs=1e-6)


def test_copies_of_references_are_found_to_be_that(tmp_path: Path) -> None:
    run = inverted(tmp_path, "sampler=copy_references")
    found = Sample()(run, Results())
    assert found["sample"]["nearest_reference_latent"] == pytest.approx(0, abs=1e-3)
    assert set(draw(run)[0].digests(draw(run)[1])) <= set(run.bank.digests(list(run.references)))


def test_the_reports_arrays_are_those_of_the_results(tmp_path: Path) -> None:
    run = inverted(tmp_path)
    found, arrays = Sample()(run, Results())["latents"], latent_figures(run)
    for name, n in (("references", 12), ("samples", 8)):
        norms, angles = arrays["norms"][name], arrays["origin_angles"][name]
        assert (norms.shape, angles.shape) == ((n,), (n * (n - 1) // 2,))
        assert found[name]["norm_mean"] == pytest.approx(norms.mean())  # type: ignore[literal-required]
        assert found[name]["origin_angle_mean"] == pytest.approx(angles.mean())  # type: ignore[literal-required]
