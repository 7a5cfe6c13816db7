"""Judging: the figures of others on the same features, whatever the order, each image once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from prdc import compute_prdc
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ood_diffusion.checks import UserError
from ood_diffusion.lightning.features import FeaturePass
from ood_diffusion.metrics.kid import kernel_mmd
from ood_diffusion.report.influences import in_order, read
from ood_diffusion.report.results import Results
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.evaluate import Evaluate, evaluate, samples_of, score
from ood_diffusion.stages.features import feature_recipe, features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.reconstruct import reconstruct
from ood_diffusion.stages.sample import sample
from ood_diffusion.statistics.feature_intervals import fid_influence
from tests.cli import MEANS, QUICK
from tests.faults.networks import Means
from tests.runs.test_run import made

FIGURES = ("fid", "kid", "precision", "recall", "density", "coverage")
CONTROLS = ("twin", "average", "wiener")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Samples are made, reconstructions are not."""
    run = made(tmp_path_factory.mktemp("judged"), *QUICK, *MEANS, "extractor.input_size=1", "steps=4")
    invert(run)
    sample(run)
    return run


def direct(run: Run, images: Tensor) -> Tensor:
    """Features without stores and loops."""
    return run.extractor(images).float()


def sets(run: Run) -> dict[str, Tensor]:
    store, ids = samples_of(run)
    return {
        "held_out": direct(run, run.pictures.read(list(run.held_out.values()))),
        "references": direct(run, run.pictures.read(list(run.references.values()))),
        "samples": direct(run, store.read(ids)),
    }


def test_a_set_that_was_judged_is_not_judged_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by another run of the process; what one of them does to its figures changes no other's."""
    first = evaluate(run)
    monkeypatch.setattr("ood_diffusion.stages.evaluate.score", lambda *_: pytest.fail("judged again"))
    again = evaluate(run)
    assert again == first
    again["intervals"]["references"].clear()
    assert evaluate(run) == first
    with pytest.raises(pytest.fail.Exception):
        evaluate(replace(run, make_metrics={"fid": run.make_metrics["fid"]}))


def test_influences_are_left_in_the_order_of_digests(run: Run) -> None:
    found = evaluate(run)["intervals"]["samples"]["fid"]
    kept = read(run.workspace.folder)["metrics/sets/samples/fid"]
    half = 1.959964 * sum(each.var(ddof=1) / len(each) for each in kept.values()) ** 0.5
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=1e-5)
    real = sets(run)["held_out"][in_order(run.held_out)]
    wanted = fid_influence(sets(run)["samples"], real)
    assert kept["held_out"] == pytest.approx(wanted.of_real.numpy(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["samples", "references"])
def test_figures_are_those_of_the_reference_implementations(run: Run, name: str) -> None:
    found, features = evaluate(run)["sets"][name], sets(run)
    real, generated = features["held_out"], features[name]
    moments = [fid_features_to_statistics(x) for x in (generated, real)]
    fid = fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]
    assert found["fid"] == pytest.approx(fid, rel=1e-4)
    assert found["kid"] == pytest.approx(kernel_mmd(real.double(), generated.double()).item(), rel=1e-6)
    wanted = compute_prdc(real.numpy(), generated.numpy(), nearest_k=5)
    assert {figure: found[figure] for figure in wanted} == pytest.approx(  # type: ignore[literal-required]
        {figure: float(value) for figure, value in wanted.items()}, abs=1e-9
    )
    assert found["n"] == len(generated)


def test_every_figure_says_of_what_it_is(run: Run) -> None:
    found = Evaluate()(run, Results())["metrics"]
    assert (found["extractor"], found["num_features"], found["n_real"]) == ("means_1", 3, 16)
    calls = {"calls_per_reference": 4, "calls_per_sample": 4, "calls_per_image": 4 + 4 * 12 / 8}
    assert found["making"] == {"uses_prior": False, **calls}
    for name, scores in found["sets"].items():
        assert set(scores) == {"n", *FIGURES}
        intervals = {figure: each for figure, each in found["intervals"][name].items() if figure != "copies"}
        assert set(intervals) == {"fid", "kid", "precision", "recall"}
        for figure, interval in intervals.items():
            assert interval["value"] == pytest.approx(scores[figure], rel=1e-6, abs=1e-9)
        assert (intervals["precision"]["n"], intervals["recall"]["n"]) == (scores["n"], 16)
    of = found["sets"]
    assert found["ratios"]["fid"] == of["samples"]["fid"] / of["references"]["fid"]
    assert found["intervals"]["samples"]["copies"]["value"] == pytest.approx(found["novelty"]["copies"])


def test_a_set_judged_by_itself_is_perfect(run: Run) -> None:
    """Density: each of n distinct images lies in its own ball, and in those of n (k - 1) pairs of others."""
    real = sets(run)["held_out"]
    found = score(run.make_metrics, {"features": (real, real)})
    assert found["fid"] == pytest.approx(0, abs=1e-6 * float(real.var(dim=0).sum()))
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    assert found["density"] == pytest.approx(1)
    assert found["kid"] < 0  # unbiased: pairs of an image with itself count on one side only


def test_no_order_changes_a_figure(run: Run) -> None:
    features, order = sets(run), torch.Generator().manual_seed(0)
    real, new = features["held_out"], features["samples"]
    shuffled = tuple(x[torch.randperm(len(x), generator=order)] for x in (real, new))
    found, again = (score(run.make_metrics, {"features": sides}) for sides in ((real, new), shuffled))
    assert again == pytest.approx(found, rel=1e-6)


def test_equal_images_have_equal_rows_and_are_seen_once(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, *MEANS)
    ids = list(run.references.values())
    twice = [ids[i] for i in (0, 1, 0, 2, 2, 0)]
    rows = features_in_order(run, run.pictures, twice)
    assert run.workspace.items == {"made": 3, "found": 0}
    assert torch.equal(rows, rows[[0, 1, 0, 3, 3, 0]]) and len(rows.unique(dim=0)) == 3
    torch.testing.assert_close(rows, direct(run, run.pictures.read(twice)), rtol=1e-6, atol=0)
    everyone = features_of(run, run.pictures, run.references)
    assert run.workspace.items == {"made": 12, "found": 3} and torch.equal(everyone[:3], rows[[0, 1, 3]])


def test_reconstructions_are_judged_when_all_of_them_are_decoded(tmp_path: Path) -> None:
    """At eta 0, whatever the run's."""
    run = made(tmp_path, *QUICK, *MEANS, "eta=0.5")
    invert(run)
    sample(run)
    assert set(evaluate(run)["sets"]) == {"samples", "references", *CONTROLS}
    reconstruct(run.at(subset=dict(list(run.references.items())[:11])))
    assert set(evaluate(run)["sets"]) == {"samples", "references", *CONTROLS}
    reconstruct(run)
    found = evaluate(run)
    assert (
        set(found["sets"])
        == set(found["intervals"])
        == {"samples", "references", "reconstructions", *CONTROLS}
    )
    assert found["sets"]["reconstructions"]["n"] == 12


def test_copied_references_are_judged_as_their_reconstructions(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, *MEANS, "sampler=copy_references", "n_samples=40")
    invert(run)
    reconstruct(run)
    sample(run)
    store, ids = samples_of(run)
    copied, digests = features_in_order(run, store, ids), store.digests(ids)
    rebuilt = run.decoded(0.0).digests(run.decoded_ids(run.bank.digests(list(run.references))))
    assert set(digests) <= set(rebuilt) and len(copied) == 40
    assert len(copied.unique(dim=0)) == len(set(digests))


def test_again_it_computes_nothing_and_finds_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluate(run)
    monkeypatch.setattr(FeaturePass, "predict_step", lambda *_: pytest.fail("computed again"))
    assert evaluate(run) == found


def test_without_latents_it_says_what_to_run(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, *MEANS)
    with pytest.raises(UserError, match="Run the stage that makes them first"):
        evaluate(run)


def test_a_users_extractor_is_known_by_its_code_and_attributes() -> None:
    recipes = [feature_recipe(each) for each in (Means(2), Means(2), Means(3))]
    assert recipes[0] == recipes[1] != recipes[2] and recipes[0]["attributes"]


def test_only_metrics_that_are_asked_for_are_computed(run: Run) -> None:
    features = sets(run)
    only = {"fid": run.make_metrics["fid"]}
    sides = {"features": (features["held_out"], features["samples"])}
    found = score(only, sides)
    assert set(found) == {"n", "fid"}
    assert found["fid"] == score(run.make_metrics, sides)["fid"]


def test_a_metric_of_another_kind_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    other = ["metric.fid._target_=torchmetrics.MeanMetric", "stages=[evaluate]"]
    with pytest.raises(UserError, match="must describe a part that is a FeatureMetric, but got 'MeanMetric'"):
        made(tmp_path, *QUICK, *other)
