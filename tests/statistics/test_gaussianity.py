"""False positives under white noise, power against what Gaussian noise is not, nulls against simulation."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.estimate import Array
from ood_diffusion.statistics.field_spectrum import field_powers, lag_1, radial_power, white_power, whiteness
from ood_diffusion.statistics.gaussianity import anderson_darling, gaussianity, henze_zirkler, project
from tests.statistics.rates import plausible, rejects_about, rejects_at_most


def noise(n: int, shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(n, *shape, generator=generator(seed, "test"))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rejected(latents: Tensor) -> set[str]:
    return {name for name, test in gaussianity(latents, 0, 100).items() if test.p_value <= 0.02}


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 9, 7)])
def test_nulls_are_those_of_simulated_latents(shape: tuple[int, ...]) -> None:
    """Every null, drawn without latents, against statistics of real white noise: its mean, and how often its
    range, which is what p-values up to 5 % are made of, leaves one out."""
    sets = 400
    drawn = [gaussianity(noise(12, shape, i), i, 1) for i in range(sets)]
    for name, null in gaussianity(noise(12, shape, 999), 0, 1000).items():
        simulated = np.array([each[name].statistic for each in drawn])
        assert abs(simulated.mean() - null.null_mean) < 4.5 * simulated.std() / sets**0.5, name

        def rejected(low: float, high: float, values: Array = simulated) -> int:
            return int(((values < low) | (values > high)).sum())

        reach = null.null_low - null.null_mean, null.null_high - null.null_mean
        # 1,000 draws know a tail of 2.5 % to within half a percent
        assert plausible(rejected(null.null_low, null.null_high), sets, 0.036, 0.064), name
        narrow = rejected(*(null.null_mean + 0.7 * end for end in reach))
        assert not plausible(narrow, sets, 0.036, 0.064), name


def test_colour_is_seen_where_pixels_are_exactly_gaussian() -> None:
    """Every pixel is N(0, 1); a KS test of all of them sees nothing."""
    white = noise(40, (3, 16, 16), 0)
    weight = 0.1
    coloured = (white + weight * white.roll(1, 3)) / (1 + weight**2) ** 0.5
    assert stats.kstest(coloured.flatten().numpy()[::7], "norm").pvalue > 0.05
    assert rejected(white) == set()
    assert rejected(coloured) == {"lag_1", "whiteness"}


def test_heavy_tails() -> None:
    scale = (0.5 * torch.randn(60, 1, 1, 1, generator=generator(1))).exp()
    latents = noise(60, (3, 16, 16), 0) * scale
    latents = latents / latents.square().mean().sqrt()
    assert {"norm_sd", "anderson_darling", "henze_zirkler"} <= rejected(latents)


def test_scale_is_seen_by_norms_alone() -> None:
    assert rejected(1.05 * noise(40, (3, 16, 16), 0)) == {"mean_square"}


def test_a_shared_mean_is_seen_and_leaves_the_projections_alone() -> None:
    mean = 0.3 * noise(1, (3, 16, 16), 5)
    found = rejected(noise(40, (3, 16, 16), 0) + mean)
    assert "mean_cosine" in found and not {"anderson_darling", "henze_zirkler"} & found
    result = gaussianity(noise(200, (3, 16, 16), 0) + mean, 0, 1)["mean_cosine"]
    assert result.statistic == pytest.approx(0.09 / 1.09, rel=0.1)


def test_a_constant_is_no_colour() -> None:
    found = rejected(noise(40, (3, 16, 16), 0) + 0.5)
    assert found == {"mean_square", "mean_cosine", "norm_sd"} or found == {"mean_square", "mean_cosine"}


def test_channels() -> None:
    latents = noise(40, (3, 16, 16), 0)
    latents[:, 1] = 0.995 * latents[:, 1] + 0.1 * latents[:, 0]
    found = gaussianity(latents, 0)
    assert found["channel_correlation"].p_value <= 0.02
    assert found["channel_correlation"].statistic == pytest.approx(0.1 / 3**0.5, rel=0.3)
    assert "channel_correlation" not in gaussianity(latents[:, :1], 0, 20)


def test_statistics_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    from ood_diffusion.statistics import gaussianity as module

    latents = noise(20, (3, 8, 8), 0)
    whole = gaussianity(latents, 0, 5)
    monkeypatch.setattr(module, "CHUNK", 7)
    for name, test in gaussianity(latents, 0, 5).items():
        assert test.statistic == pytest.approx(whole[name].statistic, rel=1e-9), name


def test_lag_1_is_the_correlation_of_neighbours() -> None:
    latents = noise(3, (2, 8, 7), 0).double() + 3
    free = latents - latents.mean(dim=(2, 3), keepdim=True)
    pairs = sum((free * free.roll(1, axis)).sum() for axis in (2, 3)) / 2
    power = field_powers(latents).sum(dim=0).numpy()
    assert float(lag_1(power, 7)) == pytest.approx(float(pairs / free.square().sum()))


def test_radial_power_of_a_single_wave() -> None:
    """Parseval: all of the power is in the bin of the wave's frequency, and bins do not see the mean."""
    column = torch.arange(16) * 2 * torch.pi / 16
    field = (torch.cos(5 * column).expand(16, 16) + 3)[None, None]
    power = radial_power(field_powers(field).numpy(), 16, 6)[0]
    assert power.shape == (6,) and (power > 1e-6).sum() == 1
    white = radial_power(field_powers(noise(400, (1, 16, 16), 0)).mean(dim=0).numpy(), 16, 6)
    assert np.allclose(white, 1, atol=0.08)
    assert whiteness(np.ones((16, 9)), 16, 6) == 0


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 6), (6, 5)])
def test_white_power_has_the_law_of_white_fields(height: int, width: int) -> None:
    """Mean and variance at every frequency, and equal power where the FFT of real fields must have it."""
    rng = np.random.default_rng(0)
    drawn = np.stack([white_power(rng, 1, 2, height, width) for _ in range(4000)])
    fields = field_powers(torch.randn(4000, 2, height, width, generator=generator(0))).numpy()
    assert np.abs(drawn.mean(0) - 2).max() < 0.2 and np.abs(fields.mean(0) - 2).max() < 0.2
    assert np.abs(np.log(drawn.var(0) / fields.var(0))).max() < 0.4
    mirrored = (-np.arange(height)) % height
    assert np.allclose(drawn[:, mirrored, 0], drawn[:, :, 0])
    assert np.allclose(fields[:, mirrored, 0], fields[:, :, 0])


def test_projections_are_orthonormal_coordinates() -> None:
    points = torch.eye(50).view(50, 2, 5, 5)
    coordinates = project(points, 100, 0)  # at most d directions: a rotation
    assert coordinates.shape == (50, 50) and np.allclose(coordinates @ coordinates.T, np.eye(50), atol=1e-5)
    assert project(points, 7, 0).shape == (50, 7)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_anderson_darling_is_scipys() -> None:
    values = np.random.default_rng(0).gamma(2, size=(30, 4))
    wanted = [stats.anderson(column, "norm").statistic for column in values.T]
    assert anderson_darling(values) == pytest.approx(wanted)
    several = anderson_darling(np.stack([values, values[:, ::-1] ** 2], axis=1))
    assert several[0] == pytest.approx(wanted)


def test_henze_zirkler_is_an_integral() -> None:
    """n ∫ |ψ(t) − exp(−|t|²/2)|² φ_β(t) dt over the empirical characteristic function, by quadrature."""
    points = np.random.default_rng(0).gamma(2, size=(15, 2))
    n, k = points.shape
    beta = ((2 * k + 1) * n / 4) ** (1 / (k + 4)) / 2**0.5
    centred = points - points.mean(0)
    white = centred @ np.linalg.inv(np.linalg.cholesky(centred.T @ centred / n)).T
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    t = beta * np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel() / (2 * np.pi)
    psi = np.exp(1j * t @ white.T).mean(axis=1)
    wanted = n * (weight * np.abs(psi - np.exp(-(t**2).sum(1) / 2)) ** 2).sum()
    assert henze_zirkler(points) == pytest.approx(wanted, rel=1e-6)


def test_henze_zirkler_has_its_published_mean_and_is_affine_invariant() -> None:
    r"""Theorem 3.2: :math:`1-a^{-k/2}(1+k\beta^2/a+k(k+2)\beta^4/(2a^2))`, :math:`a=1+2\beta^2`."""
    rng, n, k = np.random.default_rng(0), 60, 3
    square_beta = ((2 * k + 1) * n / 4) ** (2 / (k + 4)) / 2
    a = 1 + 2 * square_beta
    wanted = 1 - a ** (-k / 2) * (1 + k * square_beta / a + k * (k + 2) * square_beta**2 / (2 * a**2))
    found = [henze_zirkler(rng.normal(size=(n, k))) for _ in range(800)]
    assert np.mean(found) == pytest.approx(wanted, abs=0.015)
    points, mixing = rng.normal(size=(n, k)), rng.normal(size=(k, k))
    assert henze_zirkler(points @ mixing + 7) == pytest.approx(henze_zirkler(points))


def test_uniform_p_values_are_found_uniform() -> None:
    """The rate check itself must notice a test of 2.6 times its level, and one that hardly ever rejects."""
    rng = np.random.default_rng(0)
    assert rejects_about(rng.random(400).tolist())
    assert not rejects_at_most((rng.random(400) / 2.6).tolist())
    assert not rejects_about((rng.random(1000) * 10).tolist())


def test_bad_latents() -> None:
    with pytest.raises(UserError, match="n >= 8 and sides of 4 or more"):
        gaussianity(noise(7, (3, 8, 8), 0), 0)
    bad = noise(9, (3, 8, 8), 0)
    bad[0, 0, 0, 0] = torch.inf
    with pytest.raises(UserError, match="latents must be finite and differ"):
        gaussianity(bad, 0)
