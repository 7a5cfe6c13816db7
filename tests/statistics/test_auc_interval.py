"""The interval of an AUC: Wilson's, and how often it holds where there is something to find."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.seeding import generator
from ood_diffusion.statistics.estimate import NullTest
from ood_diffusion.statistics.intervals import auc_interval, proportion_interval
from ood_diffusion.statistics.separability import separability
from tests.statistics.rates import coverage, holds, narrowed


def noise(n: int, seed: int, shape: tuple[int, ...] = (3, 4, 4)) -> Tensor:
    return torch.randn(n, *shape, generator=generator(seed, "test"))


@pytest.mark.parametrize("successes", [0, 3, 10, 20])
def test_with_the_null_of_a_proportion_it_is_wilsons(successes: int) -> None:
    reach = 1.959964 * (0.25 / 20) ** 0.5
    found = auc_interval(NullTest(successes / 20, 0.5, 0.5 - reach, 0.5 + reach, 0.05, 40))
    wanted = proportion_interval(successes, 20)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)
    assert found.low <= found.value <= found.high and found.n == 40


def test_it_holds_one_half_where_the_null_holds_the_auc() -> None:
    for area in (0.5, 0.59, 0.605, 0.61, 0.7):
        found = auc_interval(NullTest(area, 0.5, 0.4, 0.6, 0.05, 40))
        assert (found.low <= 0.5) == (area <= 0.6)


def test_coverage_where_domains_differ() -> None:
    """Of the mean AUC of classifiers of as many latents; placements within folds hold 84 times in 100."""
    shift = 0.3 * noise(1, 7)
    found = [
        auc_interval(separability(noise(16, 2 * i), noise(20, 2 * i + 1) + shift, i, permutations=99))
        for i in range(300)
    ]
    truth = float(np.mean([each.value for each in found]))
    assert 0.7 < truth < 0.9 and holds(found, truth, 0.93, 0.97), coverage(found, truth)
    assert not holds(narrowed(found), truth, 0.93)
