"""The clouds have the statistics they claim, and the light obeys its closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.domains.radiation_sim import LOG_INTENSITY, RadiationSim
from ood_diffusion.simulators.radiation.density import density, gaussian_field, log_density_variance
from ood_diffusion.simulators.radiation.transfer import column_from, external_intensity, star_intensity


@pytest.mark.parametrize("side", [64, 65])
@pytest.mark.parametrize("slope", [1.5, 2.8, 3.7])
def test_the_slope_of_the_spectrum_is_recovered(side: int, slope: float) -> None:
    rng = np.random.default_rng(0)
    power = np.mean([np.abs(np.fft.fft2(gaussian_field(rng, side, slope))) ** 2 for _ in range(60)], axis=0)
    k = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(side, 1 / side)]))
    fit = (k >= 1) & (k <= side / 2)
    found = -np.polyfit(np.log(k[fit]), np.log(power[fit]), 1)[0]
    assert found == pytest.approx(slope, abs=0.05)


def test_log_density_is_normal_with_the_variance_of_its_mach_number() -> None:
    rng = np.random.default_rng(1)
    # One far-apart point per map, so that the sample is independent.
    logs = np.log([density(rng, 16, 2.8, 8.0)[3, 5] for _ in range(3000)])
    variance = log_density_variance(8.0)
    assert stats.kstest(logs, "norm", args=(-variance / 2, math.sqrt(variance))).pvalue > 0.01


def test_the_mean_density_is_one() -> None:
    rng = np.random.default_rng(2)
    assert np.mean([density(rng, 32, 2.8, 2.0) for _ in range(400)]) == pytest.approx(1, abs=0.05)
    assert np.array_equal(density(rng, 8, 2.8, 0.0), np.ones((8, 8)))


def test_columns_in_a_uniform_cloud_are_distances() -> None:
    rows, columns = np.indices((48, 48))
    column = column_from(np.full((48, 48), 2.0), 10.3, 30.8)
    distance = np.hypot(rows - 10.3, columns - 30.8) / 48
    assert np.abs(column - 2 * distance).max() < 0.002


def test_a_column_counts_only_what_lies_between() -> None:
    cloud = np.zeros((64, 64))
    cloud[:, 30:34] = 1.0  # a wall of 4 pixels
    column = column_from(cloud, 32.0, 10.0)
    assert np.abs(column[32, :28]).max() < 1e-9
    assert column[32, 45] == pytest.approx(4 / 64, rel=0.02)
    slanted = 4 / 64 * math.hypot(20, 35) / 35
    assert column[52, 45] == pytest.approx(slanted, rel=0.05)


def test_a_star_in_clear_space_fades_as_the_inverse_square() -> None:
    light = star_intensity(np.zeros((64, 64)), 32.0, 0.0, opacity=5.0)
    distance = np.arange(10, 60)
    slope = np.polyfit(np.log(distance), np.log(light[32, 10:60]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.01)
    assert light[32, 16] == pytest.approx(1 / (4 * math.pi * (16 / 64) ** 2), rel=0.01)


def test_a_star_in_a_uniform_cloud_is_dimmed_exponentially() -> None:
    clear, dim = (star_intensity(np.ones((64, 64)), 32.0, 32.0, opacity) for opacity in (0.0, 6.0))
    rows, columns = np.indices((64, 64))
    distance = np.hypot(rows - 32, columns - 32) / 64
    assert np.abs(np.log(clear / dim) - 6 * distance).max() < 0.02


def test_outside_light_is_full_in_clear_space_and_weakest_inside() -> None:
    assert np.allclose(external_intensity(np.zeros((32, 32)), 5.0), 1.0)
    light = external_intensity(np.ones((33, 33)), 5.0)
    assert light.max() < 1 and light.min() > 0
    assert light[16, 16] == pytest.approx(light.min(), rel=0.05)
    assert light[0, 16] > 1.1 * light[16, 16]


def test_outside_light_treats_the_axes_alike() -> None:
    cloud = density(np.random.default_rng(0), 32, 2.8, 5.0)
    light, turned = external_intensity(cloud, 3.0), external_intensity(cloud.T, 3.0)
    assert np.allclose(light.T, turned)


def test_intensity_undoes_the_colours() -> None:
    domain = RadiationSim(48)
    truth = np.log10(domain._intensity(np.random.default_rng(np.random.SeedSequence([0, 0, 7]))))
    shown = domain.intensity(domain.render("references", 7)).numpy()
    low, high = LOG_INTENSITY
    assert np.abs(shown - truth.clip(low, high)).max() <= 0.5 * (high - low) / 255 + 1e-4


def test_few_pixels_are_clipped() -> None:
    domain = RadiationSim(32)
    shown = torch.stack([domain.intensity(domain.render("references", i)) for i in range(40)])
    low, high = LOG_INTENSITY
    assert ((shown <= low) | (shown >= high)).float().mean() < 0.05


@pytest.mark.parametrize("name", ["mach", "slope", "stars", "opacity", "external"])
def test_settings_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"domain\.{name} must lie between"):
        RadiationSim(32, **{name: -1.0})


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UserError, match=r"seed must be an integer of at least 0, but got -1"):
        RadiationSim(32, seed=-1)


def test_settings_enter_the_key() -> None:
    names = ("mach", "slope", "stars", "opacity", "external")
    keys = {RadiationSim(32, **{name: 3.3}).key("references", 0) for name in names}
    assert len(keys | {RadiationSim(32).key("references", 0)}) == 6
