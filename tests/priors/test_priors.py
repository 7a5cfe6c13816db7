"""What each prior promises about the covariance of its draws."""

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum, transformed
from ood_diffusion.priors.base import Prior
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.priors.shrunk import CANDIDATES, Shrunk, held_out_log_likelihood, select_rho
from ood_diffusion.priors.span import Span
from ood_diffusion.priors.spectral import Spectral
from ood_diffusion.priors.standard_normal import StandardNormal
from ood_diffusion.seeding import generator

SHAPE = (3, 8, 8)
PRIORS: list[Prior] = [Gaussian("scalar"), Gaussian("per_coordinate"), Spectral(), Span(), Shrunk(None)]


def latents(n: int, seed: int = 0) -> Tensor:
    """Smooth, coloured, with a mean and more variance in the centre."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, *SHAPE, generator=g)
    smooth = noise + noise.roll(1, 2) + noise.roll(1, 3)
    window = 1 + torch.hann_window(8)[:, None] * torch.hann_window(8)
    return smooth * window * torch.tensor([1.0, 0.5, 2.0])[:, None, None] + 1.5


def draws(prior: Prior, n: int, seed: int = 0) -> Tensor:
    return prior.draw([generator(seed, i) for i in range(n)])


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: type(p).__name__)
def test_mean_of_draws_is_the_mean_of_references(prior: Prior) -> None:
    x = latents(40)
    z = draws(prior.fit(x), 4000)
    assert z.shape == (4000, *SHAPE) and z.dtype == torch.float32
    standard_error = z.std(dim=0) / 4000**0.5
    assert float(((z.mean(0) - x.mean(0)) / standard_error).abs().max()) < 5


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: type(p).__name__)
def test_an_item_does_not_depend_on_its_batch(prior: Prior) -> None:
    prior.fit(latents(40))
    together = draws(prior, 5)
    alone = prior.draw([generator(0, 3)])[0]
    assert torch.allclose(together[3], alone, atol=1e-5)


def test_standard_normal_ignores_the_references() -> None:
    z = draws(StandardNormal().fit(latents(40)), 3000)
    assert float(z.mean()) == pytest.approx(0, abs=0.01) and float(z.var()) == pytest.approx(1, abs=0.01)
    assert torch.equal(z[:5], draws(StandardNormal().fit(latents(7, seed=3)), 5))


def test_gaussian_variances() -> None:
    x = latents(60)
    per_coordinate = draws(Gaussian("per_coordinate").fit(x), 8000).var(dim=0) / x.var(dim=0)
    assert float((per_coordinate - 1).abs().max()) < 0.1
    scalar = draws(Gaussian("scalar").fit(x), 2000).var(dim=0)
    assert float(scalar.mean()) == pytest.approx(float(x.var(dim=0).mean()), rel=0.02)
    assert float((scalar / scalar.mean() - 1).abs().max()) < 0.2


def test_span_has_the_sample_covariance_exactly() -> None:
    """Along any direction v the variance of draws is v'Sv, and nothing leaves the span."""
    x = latents(10)
    z = draws(Span().fit(x), 20000) - x.mean(0)
    centred = (x - x.mean(0)).flatten(1)
    v = torch.randn(5, centred.shape[1], generator=torch.Generator().manual_seed(2))
    expected = (centred @ v.T).square().sum(0) / 9
    assert torch.allclose((z.flatten(1) @ v.T).var(dim=0), expected, rtol=0.06)
    basis = torch.linalg.qr(centred.T).Q
    outside = z[:20].flatten(1) - z[:20].flatten(1) @ basis @ basis.T
    assert float(outside.abs().max()) < 1e-3


def test_spectral_has_the_references_spectrum() -> None:
    x = latents(30)
    z = draws(Spectral().fit(x), 6000)
    wanted = power_spectrum(x - x.mean(0))
    got = power_spectrum(z - z.mean(0))
    assert float((got - wanted).abs().max() / wanted.abs().max()) < 0.1


def test_shrunk_variance_is_the_mixture() -> None:
    x = latents(30)
    z = draws(Shrunk(0.3).fit(x), 20000)
    stationary = draws(Spectral().fit(x), 20000).var(dim=0)
    assert torch.allclose(z.var(dim=0), 0.7 * x.var(dim=0) + 0.3 * stationary, rtol=0.1)


def test_held_out_likelihood_equals_the_dense_formula() -> None:
    """Against the d×d multivariate normal, up to the constant that does not depend on rho."""
    train, test = latents(12)[:, :, :4, :4], latents(5, seed=9)[:, :, :4, :4]
    waves = transformed(torch.cat([train, test]))
    ours = held_out_log_likelihood(waves, 4, torch.arange(17) >= 12)
    centred = (train - train.mean(0)).double()
    spectrum = power_spectrum(centred)
    d = centred[0].numel()
    unit = torch.eye(d, dtype=torch.float64).view(d, 3, 4, 4)
    stationary = apply_filter(matrix_power(spectrum, 1.0), unit).flatten(1)
    sample = centred.flatten(1).T @ centred.flatten(1) / 11
    dense = []
    for rho in CANDIDATES:
        normal = torch.distributions.MultivariateNormal(
            train.mean(0).double().flatten(), (1 - rho) * sample + rho * (stationary + stationary.T) / 2
        )
        dense.append(normal.log_prob(test.double().flatten(1)).sum())
    difference = ours - torch.stack(dense)
    assert float((difference - difference.mean()).abs().max()) < 1e-3 * float(ours.abs().max())


def test_shrunk_reports_its_choice() -> None:
    assert Shrunk(0.3).fit(latents(9)).learned() == {"rho": 0.3}
    assert Shrunk(None).fit(latents(9)).learned()["rho"] in CANDIDATES.tolist()
    assert Span().fit(latents(9)).learned() == {}


def test_rho_follows_the_data() -> None:
    """Stationary data want the stationary part; data in a common low-dimensional span want the span."""
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(40, 3, 8, 8, generator=g)
    stationary = noise + noise.roll(1, 2)
    low_rank = torch.einsum("nk,kchw->nchw", torch.randn(40, 4, generator=g), noise[:4]) + 0.1 * noise
    assert select_rho(stationary) > 0.8
    assert select_rho(low_rank) < 0.4


def test_bad_settings() -> None:
    with pytest.raises(UserError, match="variance must be one of: per_coordinate, scalar, but got 'full'"):
        Gaussian("full")
    with pytest.raises(UserError, match=r"rho must lie in \(0, 1\)"):
        Shrunk(1.5)
