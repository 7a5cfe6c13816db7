import numpy as np
import pytest

from ood_diffusion.physics.images import luminance
from ood_diffusion.physics.intensity import intensity_pdf, moments
from ood_diffusion.physics.spectrum import ROUNDING, modes, power_spectrum, slope, small_scale_power
from tests.physics.pictures import field, grey, real


@pytest.mark.parametrize("exponent", [0.0, -1.0, -2.0, -3.0])
@pytest.mark.parametrize("side", [64, 33])
def test_the_slope_of_a_power_law_is_recovered(exponent: float, side: int) -> None:
    found = slope(power_spectrum(field(60, exponent, side)))
    assert found.mean() == pytest.approx(exponent, abs=0.1)


def test_white_noise_has_its_variance_on_every_scale() -> None:
    powers = power_spectrum(field(200, 0.0, 32), normalised=False)
    assert np.abs((10**powers).mean(axis=0)[2:] / 0.15**2 - 1).max() < 0.15
    share = small_scale_power(powers).mean()
    counts = modes(32)
    assert share == pytest.approx(np.log10(counts[8:].sum() / counts.sum()), abs=0.01)


def test_a_wave_is_in_the_ring_of_its_wavenumber() -> None:
    columns = np.indices((32, 32))[1]
    wave = grey(0.5 + 0.4 * np.sin(2 * np.pi * 9 * columns / 32)[None])
    for pictures in (wave, wave.transpose(2, 3)):
        assert power_spectrum(pictures)[0].argmax() == 9 - 1


def test_a_ramp_does_not_leak_to_small_scales() -> None:
    """The jump from one side of the picture to the other is no structure in it."""
    ramp = grey(np.indices((64, 64))[1][None] / 63)
    assert small_scale_power(power_spectrum(ramp))[0] < -4


def test_shape_alone_does_not_change_with_contrast() -> None:
    pictures = real("galaxies", 120)[:5] & 0xFE  # even, so that half of it is exact
    both = [power_spectrum(x, normalised=n) for n in (True, False) for x in (pictures, pictures // 2)]
    assert np.allclose(both[0], both[1], atol=0.02)
    assert np.allclose(both[2] - both[3], np.log10(4), atol=0.02)


def test_a_flat_picture_has_the_power_of_rounding() -> None:
    flat = grey(np.full((1, 16, 16), 0.3))
    assert np.allclose(power_spectrum(flat, normalised=False), np.log10(ROUNDING))


def test_luminance_weighs_the_channels_as_the_eye_does() -> None:
    pictures = grey(np.zeros((3, 16, 16)))
    for channel in range(3):
        pictures[channel, channel] = 255
    assert np.allclose(luminance(pictures)[:, 0, 0], [0.2126, 0.7152, 0.0722])
    assert luminance(grey(np.ones((1, 16, 16))))[0, 3, 3] == pytest.approx(1)


def test_densities_sum_to_one_and_lie_where_the_light_is() -> None:
    light = np.full((2, 16, 16), 0.1)
    light[1, :8] = 0.9
    for logarithmic, where in ((False, 0.1), (True, -1.0)):
        x, density = intensity_pdf(grey(light), 20, logarithmic)
        width = x[1] - x[0]
        assert np.allclose(density.sum(axis=1) * width, 1)
        assert abs(x[density[0].argmax()] - where) <= width
        assert density[1].max() * width == pytest.approx(0.5)
    extremes = np.zeros((2, 16, 16))
    extremes[1] = 1
    for logarithmic in (False, True):
        _, density = intensity_pdf(grey(extremes), 4, logarithmic)
        assert density[0].argmax() == 0 and density[1].argmax() == 3


def test_moments_of_known_distributions() -> None:
    rng = np.random.default_rng(0)
    side = 256
    even, tail = rng.uniform(0, 1, (side, side)), rng.exponential(0.06, (side, side))
    found = moments(grey(np.stack([even, tail])))
    assert found["intensity_mean"] == pytest.approx([0.5, 0.06], abs=0.005)
    assert found["intensity_sd"] == pytest.approx([12**-0.5, 0.06], abs=0.005)
    assert found["intensity_skewness"] == pytest.approx([0, 2], abs=0.1)
    assert found["intensity_kurtosis"] == pytest.approx([-1.2, 6], abs=0.5)
