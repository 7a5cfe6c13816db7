import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import prc_features_to_metric

from ood_diffusion.checks import UserError
from ood_diffusion.metrics import distances
from ood_diffusion.metrics.prdc import PRDC, prdc


def all_four(real, generated, k=5):
    return {name: value.item() for name, value in prdc(real, generated, k).items()}


@pytest.fixture
def modes():
    """Real images of two well separated kinds."""
    generator = torch.Generator().manual_seed(0)
    near, far, *more = torch.randn(4, 100, 8, generator=generator, dtype=torch.float64)
    return near, far + 50, *more


@pytest.mark.parametrize("k", [1, 3, 5])
def test_agrees_with_the_prdc_package(sets, k):
    wanted = compute_prdc(sets.real.numpy(), sets.generated.numpy(), nearest_k=k)
    assert all_four(*sets, k) == pytest.approx({name: float(v) for name, v in wanted.items()}, abs=1e-6)


def test_agrees_with_torch_fidelity_given_generated_first(sets):
    """torch-fidelity names its inputs 1 and 2; since 0.4 the generated images come first."""
    options = {"prc_neighborhood": 3, "prc_batch_size": 100, "save_cpu_ram": False, "verbose": False}
    right = prc_features_to_metric(sets.generated, sets.real, **options)
    swapped = prc_features_to_metric(sets.real, sets.generated, **options)
    found = all_four(*sets, 3)
    precision, recall = found["precision"], found["recall"]
    assert precision != pytest.approx(recall, abs=1e-3)
    assert (precision, recall) == pytest.approx((right["precision"], right["recall"]), abs=1e-6)
    assert (precision, recall) == pytest.approx((swapped["recall"], swapped["precision"]), abs=1e-6)


def test_dropping_a_mode_costs_recall_and_coverage_only(modes):
    near, far, new, _ = modes
    got = all_four(real=torch.cat([near, far]), generated=new)
    assert got["precision"] > 0.8
    assert got["density"] > 0.8
    assert 0.3 < got["recall"] <= 0.5
    assert 0.3 < got["coverage"] <= 0.5


def test_inventing_a_mode_costs_precision_and_density_only(modes):
    near, far, new, _ = modes
    got = all_four(real=near, generated=torch.cat([new, far]))
    assert 0.3 < got["precision"] <= 0.5
    assert 0.3 < got["density"] <= 0.6
    assert got["recall"] > 0.8
    assert got["coverage"] > 0.8


def test_generated_subset_of_real(sets):
    got = all_four(sets.real, sets.real[:20])
    assert got["precision"] == 1
    assert got["coverage"] < 0.5


def test_identical_sets(sets):
    """Ties between distances are exact, so the open balls of density hold exactly k points."""
    assert all_four(sets.real, sets.real) == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


def test_independent_of_the_block_size(sets, monkeypatch):
    whole = all_four(*sets)
    monkeypatch.setattr(distances, "PAIRS", 7)
    assert all_four(*sets) == whole


def test_streamed_features(sets):
    metric = PRDC(nearest_k=3)
    metric.update(sets.real[:7], real=True)
    metric.update(sets.generated, real=False)
    metric.update(sets.real[7:], real=True)
    assert metric.compute() == prdc(*sets, 3)
    assert tuple(metric.compute()) == metric.names


def test_too_few_images(sets):
    metric = PRDC(nearest_k=5)
    metric.update(sets.real, real=True)
    metric.update(sets.generated[:5], real=False)
    with pytest.raises(UserError, match="nearest_k=5 must be given at least 6 generated images, but got 5"):
        metric.compute()


def test_k_must_be_positive(sets):
    with pytest.raises(UserError, match="nearest_k must be an integer of at least 1, but got 0"):
        prdc(*sets, 0)
