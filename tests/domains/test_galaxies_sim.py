"""Profiles are recovered from noiseless light, and the telescope conserves what it should."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ood_diffusion.checks import UserError
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.simulators.galaxies.field import draw_field
from ood_diffusion.simulators.galaxies.galaxy import Disc, Galaxy, Points, Spheroid
from ood_diffusion.simulators.galaxies.light import add_points, field_light, galaxy_light
from ood_diffusion.simulators.galaxies.population import MORPHOLOGIES, draw_galaxy
from ood_diffusion.simulators.galaxies.sersic import grid, projected_axis_ratio, sersic, sersic_b
from ood_diffusion.simulators.galaxies.spiral_arms import Arms, arm_pattern
from ood_diffusion.simulators.galaxies.telescope import WHITE, add_noise, observe, stretch

OLD = (0.78, 0.40)


def disc(scale: float) -> Disc:
    return Disc(scale, 0.1, 50.0, OLD, OLD, 0.5, None, None, None, None, None)


def radial_profile(image: NDArray[np.float32], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = grid(image.shape[0])
    radius = np.hypot(x, y)
    width = radii[1] - radii[0]
    return np.array([image[np.abs(radius - r) < width / 2].mean() for r in radii])


def test_the_scale_length_of_a_face_on_disc_is_recovered_from_the_picture() -> None:
    light = galaxy_light(Galaxy((0.0, 0.0), 0.3, 1.0, None, disc(0.2), None), 192)
    image = observe(light, 64, seeing=0.02)[1]
    radii = np.arange(0.15, 0.9, 0.05)
    slope = np.polyfit(radii, np.log(radial_profile(image, radii)), 1)[0]
    assert slope == pytest.approx(-1 / 0.2, rel=0.03)


@pytest.mark.parametrize("index", [1.0, 2.5, 4.0])
def test_the_sersic_index_of_an_elliptical_is_recovered_from_the_picture(index: float) -> None:
    galaxy = Galaxy((0.0, 0.0), 0.0, 1.0, Spheroid(0.3, index, 1.0, 20.0, OLD), None, None)
    image = observe(galaxy_light(galaxy, 192), 64, seeing=0.02)[1]
    radii = np.arange(0.15, 0.9, 0.05)
    slope = np.polyfit(radii ** (1 / index), np.log(radial_profile(image, radii)), 1)[0]
    assert slope == pytest.approx(-sersic_b(index) / 0.3 ** (1 / index), rel=0.03)


def test_sersic_agrees_with_astropy() -> None:
    models = pytest.importorskip("astropy.modeling.models")
    radius = np.linspace(0.01, 1, 50, dtype=np.float32)
    expected = models.Sersic1D(amplitude=1, r_eff=0.3, n=3.3)(radius)
    assert np.allclose(sersic(radius, 0.3, 3.3), expected, rtol=1e-5)


def test_half_of_a_sersic_profiles_light_lies_within_the_effective_radius() -> None:
    radius = np.linspace(1e-4, 400, 2_000_000)
    light = sersic(radius, 1.0, 2.0) * radius
    assert light[radius <= 1].sum() / light.sum() == pytest.approx(0.5, abs=1e-3)


def test_an_inclined_disc_has_the_projected_axis_ratio() -> None:
    light = galaxy_light(Galaxy((0.0, 0.0), 0.7, 0.5, None, disc(0.1), None), 192)[1].astype(float)
    x, y = grid(192)
    moments = np.array([[(light * a * b).sum() for a in (x, y)] for b in (x, y)]) / light.sum()
    minor, major = np.linalg.eigh(moments)[0]
    assert math.sqrt(minor / major) == pytest.approx(projected_axis_ratio(0.5, 0.1), rel=0.01)
    direction = np.linalg.eigh(moments)[1][:, 1]
    assert math.atan2(direction[1], direction[0]) % math.pi == pytest.approx(0.7, abs=0.01)


def test_axis_ratio_limits() -> None:
    assert projected_axis_ratio(1.0, 0.2) == 1.0
    assert projected_axis_ratio(0.0, 0.2) == pytest.approx(0.2)


def test_arms_follow_a_logarithmic_spiral() -> None:
    arms = Arms(number=2, pitch=math.radians(20), onset=0.1, phase=0.4, sharpness=8.0, contrast=1.0)
    azimuth = np.linspace(0, 2 * np.pi, 3600, dtype=np.float32)
    for radius in (0.3, 0.5, 0.8):
        pattern = arm_pattern(np.full_like(azimuth, math.log(radius)), azimuth, arms)
        peak = float(azimuth[pattern.argmax()])
        expected = float(arms.angle_at(np.array([radius]))[0])
        assert (peak - expected) % math.pi == pytest.approx(0, abs=0.01) or (
            (expected - peak) % math.pi == pytest.approx(0, abs=0.01)
        )


def test_the_telescope_keeps_a_flat_sky_flat_and_a_stars_flux() -> None:
    flat = np.ones((3, 192, 192), dtype=np.float32)
    assert np.allclose(observe(flat, 64, 0.02), 1, atol=1e-5)
    for pixels, side in ((64, 192), (32, 192), (96, 192)):
        light = np.zeros((3, side, side), dtype=np.float32)
        star = Points(np.array([[0.11, -0.23]]), np.array([100.0]), np.array([WHITE]))
        add_points(light, star.xy, star)
        image = observe(light, pixels, 0.02)
        assert image[1].sum() * (64 / pixels) ** 2 == pytest.approx(100, rel=1e-3)


def test_seeing_is_the_width_of_a_star() -> None:
    light = np.zeros((3, 256, 256), dtype=np.float32)
    light[:, 128, 128] = 1.0
    image = observe(light, 256, seeing=0.1)[1]
    above = (image[128] > image.max() / 2).sum() / 256
    assert above == pytest.approx(0.1, rel=0.1)  # the wing adds a little to the core


def test_noise_has_the_stated_level_and_grows_with_the_light() -> None:
    rng = np.random.default_rng(0)
    sky = add_noise(np.zeros((3, 100, 100), np.float32), 1.5, rng)
    assert sky.std() == pytest.approx(1.5, rel=0.02)
    bright = add_noise(np.full((3, 100, 100), 150, np.float32), 1.0, rng)
    assert bright.std() == pytest.approx(2.0, rel=0.02)  # 50 is as bright as the sky's 2500 electrons


def test_the_stretch_shows_white_as_grey_rises_and_spans_the_scale() -> None:
    ramp = np.linspace(0, 300, 200, dtype=np.float32)
    bands = ramp * np.array([10 ** (0.4 * WHITE[1]), 1, 10 ** (-0.4 * WHITE[0])], np.float32)[:, None]
    shown = stretch(bands[:, None], 10.0, 300.0, np.full(3, 0.1)).astype(int)[:, 0]
    assert np.ptp(shown, axis=0).max() <= 1
    assert shown[0, 0] in (25, 26) and shown[0, -1] == 255
    assert (np.diff(shown) >= 0).all()


def test_bulges_are_redder_than_discs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        galaxy = draw_galaxy(rng, "spiral")
        assert galaxy.disc is not None and galaxy.spheroid is not None
        assert galaxy.spheroid.colour[0] > galaxy.disc.old[0] > galaxy.disc.young[0]


@pytest.mark.parametrize("morphology", MORPHOLOGIES)
def test_every_morphology_gives_finite_positive_light(morphology: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(8):
        light = field_light(draw_field(rng, morphology), 96)
        assert np.isfinite(light).all() and light.min() >= 0 and light.max() > 1


def test_one_seed_shows_the_same_sky_at_every_size() -> None:
    small, large = (GalaxiesSim(size, 1, noise=0.0).render("references", 2).float() for size in (32, 96))
    reduced = large.reshape(3, 32, 3, 32, 3).mean((2, 4))
    assert (reduced - small).abs().mean() < 3


def test_morphology_is_obeyed_and_checked() -> None:
    assert GalaxiesSim(32, morphology={"spiral": 1}).morphology["elliptical"] == 0
    for wrong in ({"spirl": 1.0}, {}, {"spiral": 0.0}, {"spiral": -1.0, "elliptical": 2.0}):
        with pytest.raises(UserError, match=r"domain\.morphology must give shares"):
            GalaxiesSim(32, morphology=wrong)
    with pytest.raises(UserError, match="a morphology must be one of"):
        draw_galaxy(np.random.default_rng(0), "round")


@pytest.mark.parametrize(("name", "value"), [("seeing", 0.0), ("seeing", 1.0), ("noise", -1.0)])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"domain\.{name} must lie in"):
        GalaxiesSim(32, **{name: value})


def test_a_seed_must_be_a_whole_number() -> None:
    with pytest.raises(UserError, match=r"seed must be an integer of at least 0"):
        GalaxiesSim(32, seed=-3)


def test_the_key_tells_settings_apart() -> None:
    keys = [GalaxiesSim(32, **one).key("references", 0) for one in ({}, {"noise": 2.0}, {"seeing": 0.03})]
    assert len(set(keys)) == 3
    assert GalaxiesSim(32, noise=1).key("references", 0) == keys[0]
