"""Against the formulae by hand, and as tests: they reject when and as often as they should."""

import pytest
import torch
from scipy.stats import mannwhitneyu

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.distances import distances
from ood_diffusion.metrics.memorisation import Memorisation, authentic, copying_test
from tests.statistics.rates import rejects_about


def cloud(n, seed, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_the_formula():
    references, new, unseen = cloud(9, 0), cloud(7, 1), cloud(12, 2)
    a, b = (distances(rows, references).amin(dim=1) for rows in (new, unseen))
    above = float((a[:, None] > b).sum())
    z, p = copying_test(new, unseen, references)
    assert z == pytest.approx((above - 42) / (84 * 20 / 12) ** 0.5)
    assert p == pytest.approx(mannwhitneyu(a, b, alternative="less").pvalue)


def test_copies_and_strays():
    references, unseen = cloud(40, 0), cloud(60, 1)
    near = references + 0.05 * cloud(40, 2)
    z, p = copying_test(near, unseen, references)
    assert z < -5 and p < 1e-6 and not authentic(near, references).any()
    z, p = copying_test(3 * cloud(40, 3), unseen, references)
    assert z > 5 and p > 0.999 and authentic(3 * cloud(40, 3), references).double().mean() > 0.9


def test_fresh_images_are_called_copies_as_often_as_it_says():
    found = [copying_test(cloud(40, 3 * s), cloud(60, 3 * s + 1), cloud(30, 3 * s + 2)) for s in range(200)]
    assert rejects_about([p for _, p in found])
    assert torch.tensor([z for z, _ in found]).std() == pytest.approx(1, abs=0.15)


def test_authenticity_is_the_definition():
    references, new = cloud(8, 0), cloud(20, 1)
    for image, said in zip(new, authentic(new, references), strict=True):
        apart = (references - image).norm(dim=1)
        i = int(apart.argmin())
        own = (references - references[i]).norm(dim=1)
        own[i] = torch.inf
        assert bool(said) == bool(apart[i] > own.min())


def test_the_metric_says_it_of_both_sets():
    metric = Memorisation()
    metric.bind(references := cloud(30, 0))
    metric.update(held_out := cloud(50, 1), real=True)
    metric.update(references + 0.01, real=False)
    found = {name: float(value) for name, value in metric.compute().items()}
    assert set(found) == set(metric.names) and found["copying_p"] < 1e-6 and found["authentic"] == 0
    assert found["authentic_held_out"] == float(authentic(held_out, references).double().mean())
    metric.reset()
    metric.update(held_out, real=True)
    metric.update(held_out, real=False)
    assert abs(float(metric.compute()["copying_z"])) < 1e-9


def test_too_few():
    metric = Memorisation()
    metric.update(cloud(5, 0), real=True)
    metric.update(cloud(5, 0), real=False)
    with pytest.raises(UserError, match=r"needs at least 2 references, but got 0. Raise n_references"):
        metric.compute()
