"""Sets that fool the eye are told apart by physics; sets of one domain are not."""

import json
from collections.abc import Callable
from inspect import signature

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.physics.comparison import Difference, differences, holm, statistics
from ood_diffusion.physics.curves import abscissae, band, curves
from ood_diffusion.report.results import as_json
from tests.physics.pictures import grey, real


def compared(samples: Tensor, held_out: Tensor) -> dict[str, Difference]:
    return differences(statistics(samples), statistics(held_out), seed=0)


def blurred(pictures: Tensor) -> Tensor:
    smooth = ndimage.gaussian_filter(pictures.double().numpy(), (0, 0, 0.6, 0.6), mode="reflect")
    return torch.from_numpy(smooth.round().astype(np.uint8))


def phase_shuffled(pictures: Tensor) -> Tensor:
    """The same power spectrum and the same colours on average, but no shapes: phases of white noise."""
    rng = np.random.default_rng(0)
    noise = np.fft.fft2(rng.normal(size=(len(pictures), 1, *pictures.shape[-2:])))
    turn = noise / np.abs(noise)
    turn[..., 0, 0] = 1
    mixed = np.fft.ifft2(np.fft.fft2(pictures.double().numpy()) * turn).real
    return torch.from_numpy(mixed.round().clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("domain", ["galaxies", "radiation"])
def test_slight_blur_is_seen_by_the_spectrum_while_colours_stay(domain: str) -> None:
    pictures = real(domain, 120)
    samples, held_out = blurred(pictures[:60]), pictures[60:]
    assert (samples.double().mean((2, 3)) - pictures[:60].double().mean((2, 3))).abs().max() < 0.3
    found = compared(samples, held_out)
    assert found["small_scale_power"].differs and found["small_scale_power"].high < -0.5
    assert found["spectrum_slope"].differs
    assert not found["intensity_mean"].differs


def test_missing_shapes_are_seen_while_the_spectrum_stays() -> None:
    pictures = real("galaxies", 120)
    found = compared(phase_shuffled(pictures[:60]), pictures[60:])
    for name in ("intensity_kurtosis", "m20", "concentration"):
        assert found[name].differs, name
    assert not found["intensity_mean"].differs


@pytest.mark.slow
@pytest.mark.statistics
@pytest.mark.parametrize("domain", ["galaxies", "radiation"])
def test_other_real_pictures_are_not_flagged_more_often_than_promised(domain: str) -> None:
    """Random halves of one set: 50 repetitions at 5 % give more than 6 in 4 % of cases."""
    values, rng = statistics(real(domain, 120)), np.random.default_rng(0)
    alarms, unadjusted = 0, 0
    for _ in range(50):
        order = rng.permutation(120)
        a, b = ({name: x[half] for name, x in values.items()} for half in (order[:60], order[60:]))
        found = differences(a, b, seed=0).values()
        alarms += any(test.differs for test in found)
        unadjusted += any(test.p < 0.05 for test in found)
    assert alarms <= 6
    assert unadjusted > 6  # the adjustment is needed


def test_interval_and_test_statistic_against_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 80), rng.normal(0, 2, 90)
    found = differences({"x": a}, {"x": b}, seed=3)["x"]
    assert found.difference == pytest.approx((a.mean() - b.mean()) / b.std(ddof=1))
    assert found.ks == stats.ks_2samp(a, b).statistic
    assert found.p == found.p_holm == stats.ks_2samp(a, b).pvalue

    def standardised(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return (x.mean(axis=axis) - y.mean(axis=axis)) / y.std(axis=axis, ddof=1)

    seeded = {"rng" if "rng" in signature(stats.bootstrap).parameters else "random_state": 0}  # scipy 1.15
    reference = stats.bootstrap(
        (a, b), standardised, vectorized=True, method="percentile", **seeded
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(reference), abs=0.05)
    again, other = (differences({"x": a}, {"x": b}, seed=s)["x"] for s in (3, 4))
    assert again == found and other.low != found.low


def test_no_spread_among_held_out_images_gives_no_standardised_difference() -> None:
    constant, others = np.full(24, 3.0), np.random.default_rng(0).normal(3, 1, 30)
    found = differences({"x": others}, {"x": constant}, seed=0)["x"]
    assert np.isnan([found.difference, found.low, found.high]).all() and found.differs
    found = differences({"x": constant[:9]}, {"x": constant}, seed=0)["x"]
    assert (found.difference, found.low, found.high, found.differs) == (0, 0, 0, False)


def test_a_resample_without_spread_has_that_of_the_set() -> None:
    """One of 24 counts differs: a third of the resamples miss it."""
    rare = np.eye(24)[0]
    found = differences({"peaks": np.ones(30)}, {"peaks": rare}, seed=0)["peaks"]
    assert found.difference == pytest.approx((1 - 1 / 24) / rare.std(ddof=1))
    assert found.high == pytest.approx(1 / rare.std(ddof=1))


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for i in range(100):
        found = differences({"x": rng.normal(0.5, 1, 60)}, {"x": rng.normal(0, 1, 60)}, seed=i)["x"]
        covered += found.low <= 0.5 <= found.high
    assert 88 <= covered <= 99


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])


def test_everything_can_be_written_as_json() -> None:
    """Even for sets without any variation, whose differences have no unit of their own."""
    flat = grey(np.full((3, 16, 16), 0.2))
    for samples in (flat, grey(np.zeros((3, 16, 16))), grey(np.full((3, 16, 16), 1.0))):
        found: list[object] = [compared(samples, flat), {n: band(x) for n, x in curves(samples).items()}]
        json.dumps(as_json(found), allow_nan=False)


def test_curves_are_bands_around_means() -> None:
    pictures = real("radiation", 120)
    found, x = curves(pictures[:20]), abscissae(pictures)
    assert set(found) == set(x) == {"radial_profile", "power_spectrum", "intensity_pdf", "log_intensity_pdf"}
    for name, values in found.items():
        drawn = band(values)
        low, mean, high = (np.array(drawn[end]) for end in ("low", "mean", "high"))
        assert values.shape == (20, len(x[name])) and len(low) == len(mean) == len(high) == len(x[name])
        assert (low <= high).all() and mean == pytest.approx(values.mean(axis=0))
    assert x["power_spectrum"] == list(range(1, 17))


@pytest.mark.parametrize("of", [statistics, curves])
def test_pictures_do_not_depend_on_their_block(of: Callable[[Tensor], dict[str, np.ndarray]]) -> None:
    pictures = real("galaxies", 120)[:6]
    whole, parts = of(pictures), [of(pictures[:2]), of(pictures[2:])]
    for name, values in whole.items():
        assert np.concatenate([part[name] for part in parts]) == pytest.approx(values, rel=1e-12), name


def test_pictures_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(UserError, match="square RGB pictures"):
        statistics(real("radiation", 120).float())
