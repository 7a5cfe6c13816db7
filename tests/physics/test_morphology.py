"""Closed forms, invariances, and statmorph (Rodriguez-Gomez et al. 2019) on the same galaxies."""

import warnings

import numpy as np
import pytest
import torch
from scipy import ndimage, optimize

from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.physics.images import Array, luminance
from ood_diffusion.physics.morphology import (
    FAINTEST_M20,
    asymmetry,
    concentration,
    gini,
    m20,
    morphology,
    smoothness,
)
from ood_diffusion.physics.profile import radial_profile, source
from tests.physics.pictures import distance, field, grey


def disc(side: int = 64, scale: float = 5.0, row: float = 32.0, column: float = 31.0) -> Array:
    light: Array = 0.8 * np.exp(-distance(side, row, column) / scale)
    return light


def enclosed(x: float) -> float:
    """Share of an exponential disc's light within x scale lengths."""
    return 1 - (1 + x) * np.exp(-x)


def petrosian_of_a_disc() -> float:
    """In scale lengths: where the brightness is 0.2 of the mean within."""
    return float(optimize.brentq(lambda x: np.exp(-x) - 0.2 * 2 * enclosed(x) / x**2, 1, 10))


def test_an_exponential_disc_has_its_petrosian_radius_and_concentration() -> None:
    of = source(disc(scale=4.0))
    expected = petrosian_of_a_disc()
    assert of.centre == pytest.approx((32, 31), abs=0.05)
    assert of.petrosian / 4 == pytest.approx(expected, rel=0.03)
    within = enclosed(1.5 * expected)
    r20, r80 = (optimize.brentq(lambda x, s=s: enclosed(x) - s * within, 0, 20) for s in (0.2, 0.8))
    assert concentration(of) == pytest.approx(5 * np.log10(r80 / r20), abs=0.08)


def test_noise_of_the_sky_does_not_draw_the_centre_to_the_middle() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (64, 64))
    assert source(disc(row=20.0, column=40.0) + noise).centre == pytest.approx((20, 40), abs=0.5)


def test_even_light_has_the_least_concentration() -> None:
    plate = (distance(64, 31.5, 31.5) < 25).astype(float)
    assert concentration(source(plate)) == pytest.approx(5 * np.log10(2), abs=0.05)


@pytest.mark.parametrize("centre", [(31.5, 31.5), (30.0, 33.0), (28.5, 32.0)])
def test_a_point_symmetric_picture_has_no_asymmetry(centre: tuple[float, float]) -> None:
    rows, columns = np.indices((64, 64))
    y, x = rows - centre[0], columns - centre[1]
    barred = np.exp(-(np.hypot(x, 2 * y) + 0.5 * np.abs(x + y)) / 6)  # no mirror symmetry needed
    assert asymmetry(source(barred)) < 1e-9


def test_a_lopsided_picture_has_the_asymmetry_of_its_excess() -> None:
    """A clump of light f on a disc of light 1: |I − I180| counts it twice, over a total of 1 + f."""
    light = disc()
    clump = 0.02 * light.sum() * (distance(64, 32, 45) < 2) / (distance(64, 32, 45) < 2).sum()
    assert asymmetry(source(light + clump)) == pytest.approx(2 * 0.02 / 1.02, rel=0.1)


def test_a_source_cut_by_the_edge_is_not_symmetric() -> None:
    """Half a disc, whose other half lies outside: half of the light within reach has no partner."""
    assert 0.5 < asymmetry(source(disc(row=0.0))) <= 2
    assert asymmetry(source(disc(row=20.0))) < 0.05


def test_smooth_light_is_smooth_and_clumps_are_not() -> None:
    rng = np.random.default_rng(0)
    light = disc()
    clumpy = light * rng.uniform(0, 2, light.shape)
    assert smoothness(source(light)) < 0.05
    assert smoothness(source(clumpy)) > 0.15


def test_gini_of_known_sets() -> None:
    assert gini(np.full(50, 0.3)) == pytest.approx(0)
    assert gini(np.eye(1, 50)[0]) == pytest.approx(1)
    assert gini(np.arange(1, 101.0)) == pytest.approx(101 / 3 / 101, rel=1e-9)  # (n + 1) / 3 over (n + 1)
    assert gini(np.random.default_rng(0).exponential(size=100_000)) == pytest.approx(0.5, abs=0.01)


def test_m20_of_known_sets() -> None:
    everywhere = np.ones((64, 64), dtype=bool)
    light = np.zeros((64, 64))
    light[[10, 50], 32] = 1.0  # all light at one distance: a share of the light is that share of the moment
    assert m20(light, everywhere) == pytest.approx(np.log10(0.5))
    light[30, 32] = 100.0  # the brightest is the centre
    assert m20(light, everywhere) == FAINTEST_M20
    even = (distance(201, 100, 100) < 90).astype(float) * (1 + 1e-6 * (200 - distance(201, 100, 100)))
    assert m20(even, even > 0) == pytest.approx(np.log10(0.2**2), abs=0.02)  # r² < 0.2 R²: moment 0.2²


def test_turned_and_dimmed_pictures_have_the_same_morphology() -> None:
    light = luminance(GalaxiesSim(64, noise=0.3).render("references", 2)[None])[0]
    reference = morphology(source(light))
    for other in (np.rot90(light), light[::-1], 0.5 * light + 0.1):
        assert morphology(source(other)) == pytest.approx(reference, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_pictures_without_a_source_have_finite_measures(value: float) -> None:
    found = morphology(source(np.full((16, 16), value)))
    assert found["concentration"] == pytest.approx(5 * np.log10(2), abs=0.05)
    assert [found[name] for name in ("asymmetry", "smoothness", "gini", "m20")] == [0, 0, 0, 0]
    one = np.full((16, 16), value / 2)
    one[0, 0] = 1.0  # a single pixel in the corner
    for light in (one, 1 - one, luminance(field(1, -2.0, 16))[0]):
        assert np.isfinite(list(morphology(source(light)).values())).all()


def test_the_profile_falls_as_the_disc_does() -> None:
    pictures = grey(np.stack([disc(scale=8.0, column=32.0), 0.5 * disc(scale=8.0, column=32.0)]))
    profile = radial_profile(pictures, 16)
    assert profile.shape == (2, 16)
    assert np.allclose(profile.mean(axis=1), 1)
    assert np.allclose(profile[0], profile[1], rtol=0.15)
    log_slope = np.polyfit(2.0 * np.arange(2, 12), np.log(profile[0, 2:12]), 1)[0]  # rings 2 pixels apart
    assert log_slope == pytest.approx(-1 / 8, rel=0.05)
    assert np.allclose(radial_profile(grey(np.zeros((1, 16, 16))), 8), 1)


@pytest.mark.slow
def test_measures_agree_with_statmorph() -> None:
    statmorph = pytest.importorskip(
        "statmorph", reason="statmorph, the reference for morphology, is not installed"
    )
    import photutils.segmentation  # noqa: F401  statmorph 0.5.7 takes it for imported

    ours, theirs = [], []
    for i in range(10):
        of = source(luminance(GalaxiesSim(64, noise=0.2).render("references", i)[None])[0])
        smooth = ndimage.gaussian_filter(of.light, 1.5)
        labels, _ = ndimage.label(smooth > 0.1 * smooth.max())
        own = labels[round(of.centre[0]), round(of.centre[1])]
        if own == 0:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (reference,) = statmorph.source_morphology(of.light, (labels == own).astype(int), gain=1e4)
        if reference.flag <= 1:
            found = morphology(of)
            ours.append(
                [of.petrosian, found["concentration"], found["m20"], found["gini"], found["asymmetry"]]
            )
            theirs.append(
                [
                    reference.rpetro_circ,
                    reference.concentration,
                    reference.m20,
                    reference.gini,
                    reference.asymmetry,  # less the sky's: an offset
                ]
            )
    a, b = np.array(ours), np.array(theirs)
    assert len(a) >= 8
    assert np.median(np.abs(a[:, 0] / b[:, 0] - 1)) < 0.02
    assert np.median(np.abs(a - b)[:, 1:4], axis=0) == pytest.approx([0, 0, 0], abs=0.06)
    correlation = [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(5)]
    assert (np.array(correlation) > [0.9, 0.9, 0.7, 0.4, 0.7]).all()  # Gini: another choice of pixels


def test_statistics_do_not_depend_on_the_other_pictures() -> None:
    pictures = torch.stack([GalaxiesSim(32).render("references", i) for i in range(3)])
    together = [source(light).petrosian for light in luminance(pictures)]
    assert together[1] == source(luminance(pictures[1:2])[0]).petrosian
