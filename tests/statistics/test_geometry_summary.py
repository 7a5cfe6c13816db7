"""Known spectra with n ≪ d, and the U-statistic by its definition."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.gram import gram
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.geometry_summary import geometry_summary, trace_moments


def test_trace_moments_are_the_u_statistics() -> None:
    """Means over distinct points of |x − y|²/2 and of ((x − y)·(z − w))²/4."""
    points = torch.randn(6, 4, generator=generator(0)).double() + 3
    trace, square = trace_moments(gram(points, points))
    pairs = [
        float((points[i] - points[j]).square().sum()) / 2 for i, j in itertools.permutations(range(6), 2)
    ]
    fours = [
        float((points[i] - points[j]) @ (points[k] - points[m])) ** 2 / 4
        for i, j, k, m in itertools.permutations(range(6), 4)
    ]
    assert (trace, square) == pytest.approx((np.mean(pairs), np.mean(fours)))


@pytest.mark.parametrize("heavy", [False, True])
def test_unbiased_for_known_spectra_with_n_far_below_d(heavy: bool) -> None:
    """Where tr S² of the sample covariance is wrong by its whole size. Not only for normal points."""
    d, n, repeats = 1000, 16, 400
    spectrum = 1 / torch.arange(1, d + 1).double().sqrt()
    truth = float(spectrum.sum()), float(spectrum.square().sum())
    found, naive = [], []
    for i in range(repeats):
        points = torch.randn(n, d, generator=generator(i)).double()
        if heavy:
            points = points.sign() * points.square() / 3**0.5
        points = points * spectrum.sqrt() + 1
        found.append(trace_moments(gram(points, points)))
        centred = points - points.mean(dim=0)
        naive.append(float((gram(centred, centred) / (n - 1)).square().sum()))
    for k in (0, 1):
        values = np.array([each[k] for each in found])
        assert abs(values.mean() - truth[k]) < 4 * values.std() / repeats**0.5
    assert np.mean(naive) > 10 * truth[1]


def test_white_latents_show_the_isotropic_figures() -> None:
    found = geometry_summary(torch.randn(60, 3, 32, 32, generator=generator(0)))
    for spread in (found.norm, found.origin_angle, found.pair_distance, found.vertex_angle):
        assert spread.mean == pytest.approx(spread.isotropic_mean, rel=0.01)
        assert spread.sd == pytest.approx(spread.isotropic_sd, rel=0.3)
    assert found.effective_dimension == pytest.approx(3072, rel=0.12)
    assert found.predicted_angle_sd == pytest.approx(found.origin_angle.isotropic_sd, rel=0.06)
    assert abs(found.mean_share) < 0.005 and (found.n, found.dimensions) == (60, 3072)


def test_coloured_latents_have_the_angles_their_effective_dimension_predicts() -> None:
    white = torch.randn(80, 3, 32, 32, generator=generator(0))
    found = geometry_summary(white + white.roll(1, 2) + white.roll(1, 3) + white.roll((1, 1), (2, 3)))
    # 2×2 box filter: tr C = 4 d, tr C² = d Σ_shift autocovariance² = d (2/1 of [1, 2, 1]² twice) = 36 d
    assert found.effective_dimension == pytest.approx(3072 * 16 / 36, rel=0.12)
    assert found.origin_angle.sd == pytest.approx(found.predicted_angle_sd, rel=0.05)
    assert found.origin_angle.sd > 1.3 * found.origin_angle.isotropic_sd


def test_common_mean() -> None:
    white = torch.randn(80, 3, 32, 32, generator=generator(0))
    mean = torch.randn(3, 32, 32, generator=generator(1))
    found = geometry_summary(white + mean)
    assert found.mean_share == pytest.approx(0.5, rel=0.1)
    assert found.origin_angle.mean == pytest.approx(60, rel=0.05)
    assert found.effective_dimension == pytest.approx(
        3072, rel=0.12
    )  # of the covariance: the mean has no part


def test_identical_latents_and_json() -> None:
    found = geometry_summary(torch.ones(5, 1, 4, 4))
    assert found.effective_dimension == 16
    assert json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))["norm"]["mean"] == 4


def test_too_few() -> None:
    with pytest.raises(
        UserError, match=r"the unbiased estimate of tr C² needs at least 4 latents, but got 3"
    ):
        geometry_summary(torch.ones(3, 1, 4, 4))
