"""scikit-learn's own folds and areas on the same points, false positives, power, and the trap of training
AUC."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.intervals import auc_interval
from ood_diffusion.statistics.randomness import numpy_generator
from ood_diffusion.statistics.separability import (
    score_separability,
    separability,
    trivial_features,
    trivial_separability,
)
from tests.statistics.rates import coverage, holds, narrowed, rejects_at_most


def noise(n: int, seed: int, shape: tuple[int, ...] = (3, 8, 8)) -> Tensor:
    return torch.randn(n, *shape, generator=generator(seed, "test"))


@pytest.mark.parametrize("dimensions", [200, 7])
def test_statistic_is_that_of_scikit_learn(dimensions: int) -> None:
    """Ridge with an intercept on the coordinates themselves, fold by fold, and the area of each fold."""
    a, b = noise(17, 0, (dimensions,)), noise(24, 1, (dimensions,)) + 0.3
    x, y = torch.cat([a, b]).double().numpy(), np.repeat([0, 1], [17, 24])
    state = int(numpy_generator(5, "separability").integers(2**31))
    areas = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=state).split(x, y):
        ridge = ((x[train] - x[train].mean(0)) ** 2).sum() / len(train)
        scores = Ridge(alpha=ridge, solver="svd").fit(x[train], y[train]).predict(x[test])
        areas.append(roc_auc_score(y[test], scores))
    found = separability(a, b, 5, permutations=19)
    assert found.statistic == pytest.approx(np.mean(areas)) and found.n == 41


def test_false_positives() -> None:
    """And how often the AUC's interval holds where there is nothing to find."""
    plain, trivial = [], []
    for i in range(400):
        a, b = noise(16, 2 * i, (3, 4, 4)), noise(20, 2 * i + 1, (3, 4, 4))
        plain.append(separability(a, b, i, permutations=99))
        if i < 200:
            trivial.append(trivial_separability(a, b, i, permutations=19).p_value)
    assert rejects_at_most(trivial)
    for level in (0.05, 0.25, 0.5):
        assert rejects_at_most([found.p_value for found in plain], level)
    areas = [found.statistic for found in plain]
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / 400**0.5
    found = [auc_interval(each) for each in plain]
    assert holds(found, 0.5, 0.93), coverage(found, 0.5)
    assert not holds(narrowed(found), 0.5, 0.93)


def test_noise_that_a_classifier_separates_in_training_is_not_separable() -> None:
    a, b = noise(40, 0), noise(40, 1)
    x, y = torch.cat([a, b]).flatten(1).numpy(), np.repeat([0, 1], 40)
    assert roc_auc_score(y, Ridge(alpha=1.0).fit(x, y).predict(x)) == 1.0
    found = separability(a, b, 0)
    assert found.null_low < found.statistic < found.null_high and found.p_value > 0.05
    assert found.null_mean == pytest.approx(0.5, abs=0.03)


def test_power() -> None:
    shift = 0.25 * noise(1, 7)
    found = separability(noise(40, 0), noise(40, 1) + shift, 0)
    assert found.p_value == 1 / 201 and found.statistic > 0.8
    assert separability(noise(40, 1) + shift, noise(40, 0), 0).statistic > 0.8


def test_scale_is_a_trivial_difference_that_no_linear_classifier_sees() -> None:
    a, b = noise(40, 0), 1.1 * noise(40, 1)
    assert separability(a, b, 0).p_value > 0.05
    assert trivial_separability(a, b, 0).p_value == 1 / 201
    white = noise(40, 1)
    assert trivial_separability(a, (white + white.roll(1, 3)) / 2**0.5, 0).statistic > 0.95


def test_trivial_features() -> None:
    latents = noise(5, 0) + 2
    found = trivial_features(latents)
    assert found.shape == (5, 1 + 3 + 3 + 6 + 1)
    assert torch.allclose(found[:, 0], latents.flatten(1).norm(dim=1).double())
    assert torch.allclose(found[:, 1:4].float(), latents.mean(dim=(2, 3)), atol=1e-5)
    assert torch.allclose(found[:, 4:7].float(), latents.std(dim=(2, 3)), atol=1e-5)
    brighter = trivial_features(latents + 1)  # a constant is no colour
    assert torch.allclose(brighter[:, 4:], found[:, 4:], atol=1e-4)
    twice = latents + latents.roll(1, 2)
    smooth = trivial_features(twice + twice.roll(1, 3))
    assert bool((smooth[:, 13] > found[:, 13] + 0.2).all()) and bool((smooth[:, 12] < found[:, 12]).all())


def test_bad_sets() -> None:
    with pytest.raises(UserError, match="points must agree in shape"):
        separability(noise(9, 0), noise(9, 0, (1, 8, 8)), 0)
    with pytest.raises(UserError, match="folds must lie between 2 and the smaller set's size"):
        separability(noise(4, 0), noise(9, 0), 0)


def test_area_of_a_score_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 30).astype(float), rng.integers(2, 10, 40).astype(float)  # with ties
    found = score_separability(a, b, 0)
    assert found.statistic == pytest.approx(roc_auc_score(np.repeat([0, 1], [30, 40]), np.append(a, b)))
    assert found.p_value < 0.01 and found.n == 70
    nothing = [score_separability(*rng.normal(size=(2, 20)), i, permutations=99).p_value for i in range(400)]
    assert rejects_at_most(nothing)
