"""Values against the metrics, standard errors against the jackknife, coverage against simulation."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.fid import frechet_distance
from ood_diffusion.metrics.kid import kernel_mmd
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import (
    fid_influence,
    fid_interval,
    interval_over_seeds,
    kid_influence,
    kid_interval,
)
from tests.statistics.rates import coverage, holds, narrowed


def features(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


@pytest.mark.parametrize(("m", "n", "d"), [(30, 50, 6), (12, 9, 40)])
def test_values_are_those_of_the_metrics(m: int, n: int, d: int) -> None:
    x, y = features(m, d, 1, 0.3) * torch.linspace(0.5, 2, d), features(n, d, 2)
    wanted = frechet_distance(x.mean(0), x.T.cov(), y.mean(0), y.T.cov())
    fid, kid = fid_interval(x, y), kid_interval(x, y)
    assert fid.value == pytest.approx(float(wanted), rel=1e-9)
    assert kid.value == pytest.approx(float(kernel_mmd(y, x)), rel=1e-9)
    assert fid.low < fid.value < fid.high and fid.n == kid.n == min(m, n)
    assert fid_interval(y, x).high == pytest.approx(fid.high) and kid_interval(y, x).high == pytest.approx(
        kid.high
    )


def test_kid_error_is_the_jackknife() -> None:
    x, y = features(7, 3, 1, 0.5), features(9, 3, 2)
    keep = [torch.arange(n)[torch.arange(n) != i] for n in (7, 9) for i in range(n)]
    without_x = np.array([float(kernel_mmd(x[k], y)) for k in keep[:7]])
    without_y = np.array([float(kernel_mmd(x, y[k])) for k in keep[7:]])
    error = (6 * without_x.var() + 8 * without_y.var()) ** 0.5
    found = kid_interval(x, y)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * error)


def test_fid_influence_is_the_derivative() -> None:
    """Of the plug-in FID with weights on the images, by a finite difference."""
    x, y = features(9, 20, 1, 0.4), features(7, 20, 2)

    def fid(weights_x: Tensor, weights_y: Tensor) -> float:
        w, v = weights_x / weights_x.sum(), weights_y / weights_y.sum()
        mean_x, mean_y = w @ x, v @ y
        a, b = (x - mean_x) * w[:, None].sqrt(), (y - mean_y) * v[:, None].sqrt()
        a, b = a * (9 / 8) ** 0.5, b * (7 / 6) ** 0.5
        traces = a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()
        return float((mean_x - mean_y).square().sum() + traces)

    def influence(n: int, side: int) -> np.ndarray:
        derivatives = []
        for i in range(n):
            ends = []
            for step in (1e-5, -1e-5):
                weights = [torch.full((9,), 1 / 9).double(), torch.full((7,), 1 / 7).double()]
                weights[side] = (1 - step) * weights[side]
                weights[side][i] += step
                ends.append(fid(*weights))
            derivatives.append((ends[0] - ends[1]) / 2e-5)
        return np.array(derivatives)

    variance = influence(9, 0).var(ddof=1) / 9 + influence(7, 1).var(ddof=1) / 7
    found = fid_interval(x, y)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * variance**0.5, rel=1e-5)


@pytest.mark.parametrize(("shift", "trials"), [(0.3, 1000), (0.0, 400)])
def test_coverage_at_this_number_of_images(shift: float, trials: int) -> None:
    """Where the sets are equal both are degenerate and knowingly too wide: bounded from below alone."""

    def trial(i: int) -> tuple[Estimate, Estimate]:
        x, y = features(64, 16, 2 * i, shift), features(64, 16, 2 * i + 1)
        return fid_interval(x, y), kid_interval(x, y)

    for own, widest in zip(zip(*[trial(i) for i in range(trials)], strict=True), (0.975, 0.95), strict=True):
        truth = float(np.mean([each.value for each in own]))
        assert holds(own, truth, high=widest if shift else 1.0), coverage(own, truth)
        assert not shift or not holds(narrowed(own), truth)


def test_more_images_narrow_the_interval() -> None:
    few, many = (fid_interval(features(n, 8, 0, 0.5), features(n, 8, 1)) for n in (50, 450))
    assert 2 < (few.high - few.low) / (many.high - many.low) < 5


def test_a_paired_difference_covers_and_is_narrower_than_an_unpaired_one() -> None:
    """Two sets that share most of each image, as a sample and its control share their parents."""
    found: list[list[Estimate]] = [[], []]
    for i in range(400):
        shared, real = features(64, 16, 3 * i, 0.3), features(64, 16, 3 * i + 1)
        other = shared + 0.2 * features(64, 16, 3 * i + 2) + 0.1
        for own, influence in zip(found, (fid_influence, kid_influence), strict=True):
            paired = influence(other, real).minus(influence(shared, real)).interval()
            own.append(paired)
            alone = influence(other, real).interval()
            assert paired.high - paired.low < alone.high - alone.low
    for own in found:
        truth = float(np.mean([each.value for each in own]))
        assert holds(own, truth, high=0.98), coverage(own, truth)
        assert not holds(narrowed(own, 0.5), truth)


def test_figures_of_unequal_numbers_are_not_paired() -> None:
    x, y = features(9, 3, 1), features(7, 3, 2)
    with pytest.raises(UserError, match="paired figures need equal numbers of images"):
        fid_influence(x, y).minus(fid_influence(x[:8], y))
    same = fid_influence(x, y).minus(fid_influence(x, y)).interval()
    assert (same.value, same.low, same.high, same.n) == (0, 0, 0, 7)


@pytest.mark.parametrize("seeds", [3, 5])
def test_coverage_over_seeds_that_share_their_images(seeds: int) -> None:
    """The degrees of freedom are estimated: 92 to 96 %."""
    rng = np.random.default_rng(seeds)
    for between, images in ((1.0, 1.0), (0.2, 1.0), (1.0, 0.2)):
        found = []
        for _ in range(1500):
            values = (between * rng.normal(size=seeds) + images * rng.normal()).tolist()
            within = [Estimate(v, v - 1.96 * images, v + 1.96 * images, 50) for v in values]
            found.append(interval_over_seeds(values, within))
        assert holds(found, 0, 0.92, 0.96), (between, images, coverage(found, 0))
        assert not holds(narrowed(found), 0, 0.92), (between, images)


def test_over_seeds_closed_forms() -> None:
    within = [Estimate(v, v - 1.959964, v + 1.959964, 9) for v in (1.0, 1.0, 1.0)]
    alone = interval_over_seeds([1.0, 1.0, 1.0], within)
    assert (alone.low, alone.high) == pytest.approx((1 - 1.959964, 1 + 1.959964))
    exact = [Estimate(v, v, v, 9) for v in (1.0, 2.0, 4.0)]
    seeds = interval_over_seeds([1.0, 2.0, 4.0], exact)
    assert seeds.high - seeds.value == pytest.approx(4.302653 * math.sqrt(7 / 3 / 3))
    assert interval_over_seeds([1.0], within[:1]) == Estimate(1.0, within[0].low, within[0].high, 1)


def test_bad_features() -> None:
    with pytest.raises(UserError, match="with one d and 2 rows or more"):
        fid_interval(features(1, 4, 0), features(5, 4, 0))
    with pytest.raises(UserError, match="with one d and 3 rows or more"):
        kid_interval(features(5, 4, 0), features(5, 3, 0))
    with pytest.raises(UserError, match="each seed needs one interval"):
        interval_over_seeds([1.0], [])
