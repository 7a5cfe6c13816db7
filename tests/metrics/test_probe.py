"""The domain probe: which side is which, what it may not learn from, and that noise is noise."""

import numpy as np
import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.probe import STRENGTHS, area_under_curve, fit_probe


def rows(n: int, shift: float, seed: int, d: int = 40) -> torch.Tensor:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    x[:, 0] += shift
    return x


def test_a_positive_score_is_the_training_domain() -> None:
    probe = fit_probe(rows(60, 4.0, 1), rows(60, -4.0, 2), seed=0)
    training, unseen = probe.scores(rows(200, 4.0, 3)), probe.scores(rows(200, -4.0, 4))
    assert training.shape == (200,) and (training > 0).mean() > 0.98 and (unseen > 0).mean() < 0.02
    assert area_under_curve(training, unseen) > 0.99
    assert probe.strength in STRENGTHS


def test_one_distribution_cannot_be_told_apart_although_the_training_rows_can() -> None:
    probe = fit_probe(rows(30, 0, 1, 200), rows(30, 0, 2, 200), seed=0)
    held_out = probe.scores(rows(400, 0, 3, 200)), probe.scores(rows(400, 0, 4, 200))
    assert abs(area_under_curve(*held_out) - 0.5) < 0.08
    assert probe.strength < max(STRENGTHS)  # rows left out ask for a strong penalty


def test_mixtures_of_what_it_was_fitted_on_pass_as_surer_than_fresh_images() -> None:
    """Why samples, mixtures of references, need a probe that was not fitted on these."""
    training, fitted, other, fresh = (rows(40, 0, seed, 400) + s for seed, s in enumerate((0.1, 0, 0, 0)))
    mixtures = (fitted + fitted.roll(1, dims=0)) / 2**0.5
    fooled, fair = fit_probe(training, fitted, seed=0), fit_probe(training, other, seed=0)
    assert fooled.scores(fresh).mean() - fooled.scores(mixtures).mean() > 1
    assert abs(fair.scores(fresh).mean() - fair.scores(mixtures).mean()) < 0.5


def test_domains_weigh_alike_whatever_their_numbers() -> None:
    probe = fit_probe(rows(20, 0.8, 1, 3), rows(400, -0.8, 2, 3), seed=0)
    wrong = [(probe.scores(rows(2000, s, k, 3)) > 0).mean() for s, k in ((0.8, 3), (-0.8, 4))]
    assert (1 - wrong[0]) == pytest.approx(wrong[1], abs=0.12)  # unbalanced weights: 0.8 against 0.01


def test_scale_and_offset_of_a_feature_do_not_matter() -> None:
    scale, offset = torch.logspace(-3, 3, 40), torch.linspace(-50, 50, 40)
    a, b, new = (rows(40, shift, seed).double() for shift, seed in ((1.0, 1), (-1.0, 2), (0.0, 3)))
    plain = fit_probe(a, b, seed=0).scores(new)
    moved = fit_probe(a * scale + offset, b * scale + offset, seed=0).scores(new * scale + offset)
    np.testing.assert_allclose(plain, moved, atol=1e-3)


def test_area_under_curve_is_the_share_of_ordered_pairs() -> None:
    training, unseen = np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])
    pairs = [(a > b) + 0.5 * (a == b) for a in training for b in unseen]
    assert area_under_curve(training, unseen) == pytest.approx(np.mean(pairs))


def test_too_few_images() -> None:
    with pytest.raises(UserError, match="at least 5 images of each domain"):
        fit_probe(rows(4, 0, 1), rows(9, 0, 2), seed=0)
