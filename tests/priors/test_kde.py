"""The kernel density estimate keeps mean and covariance while it goes from copies to a Gaussian."""

import math

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum
from ood_diffusion.priors.kde import KDE
from ood_diffusion.priors.shrunk import Shrunk
from ood_diffusion.seeding import generator

SHAPE = (3, 8, 8)
BANDWIDTHS = [0.0, 0.3, 0.7, 1.0]


def latents(n: int = 24) -> Tensor:
    """Coloured, with a mean, more variance in the centre and long tails."""
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(n, *SHAPE, generator=g)
    window = 1 + torch.hann_window(8)[:, None] * torch.hann_window(8)
    scale = 0.5 + torch.rand(n, 1, 1, 1, generator=g)
    return scale * (noise + noise.roll(1, 2)) * window + 1.5


def draws(prior: KDE | Shrunk, n: int) -> Tensor:
    return prior.draw([generator(0, i) for i in range(n)])


def directions() -> Tensor:
    """Random ones, and some along which references differ more than chance would have it."""
    x = latents()
    noise = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(2))
    v = torch.cat([noise, x[:4] - x.mean(0)]).double()
    return torch.nn.functional.normalize(v.flatten(1)).view(-1, *SHAPE)


@pytest.mark.parametrize("h", BANDWIDTHS)
def test_mean_and_covariance(h: float) -> None:
    """Along v: mean v'mu and variance (1 - h²) (n - 1)/n v'Sv + h² v'((1 - rho) S + rho P) v."""
    x, v, n = latents(), directions(), 20000
    kde = KDE(h).fit(x)
    rho = kde.learned()["rho"]
    centred = (x - x.mean(0)).double()
    sample = (centred.flatten(1) @ v.flatten(1).T).square().sum(dim=0) / (len(x) - 1)
    stationary = (v * apply_filter(matrix_power(power_spectrum(centred), 1.0), v)).flatten(1).sum(dim=1)
    expected = (1 - h**2) * (1 - 1 / len(x)) * sample + h**2 * ((1 - rho) * sample + rho * stationary)

    z = draws(kde, n)
    assert z.shape == (n, *SHAPE) and z.dtype == torch.float32
    along = (z.double() - x.mean(0)).flatten(1) @ v.flatten(1).T
    assert float((along.mean(dim=0) / (along.std(dim=0) / n**0.5)).abs().max()) < 4.5
    off = along.square() - expected
    assert float((off.mean(dim=0) / (off.std(dim=0) / n**0.5)).abs().max()) < 4.5


def test_the_total_variance_is_that_of_the_references() -> None:
    """For every h, but for the (n - 1)/n of a choice among n points."""
    x = latents()
    total = float(x.var(dim=0).sum())
    for h in BANDWIDTHS:
        expected = total * (1 - (1 - h**2) / len(x))
        assert float(draws(KDE(h).fit(x), 4000).var(dim=0).sum()) == pytest.approx(expected, rel=0.02)


def test_without_bandwidth_it_copies() -> None:
    x = latents()
    off = (draws(KDE(0.0).fit(x), 200)[:, None] - x).abs().amax(dim=(2, 3, 4))
    assert float(off.min(dim=1).values.max()) < 1e-5
    assert set(off.argmin(dim=1).tolist()) == set(range(len(x)))


@pytest.mark.parametrize("h", [0.1, 0.4])
def test_draws_lie_one_bandwidth_from_the_shrunk_references(h: float) -> None:
    """|z - mu - sqrt(1 - h²)(x_i - mu)|² has the mean h² tr C; the mixture is no Gaussian."""
    x = latents()
    z = draws(KDE(h).fit(x), 2000)
    centres = x.mean(0) + math.sqrt(1 - h**2) * (x - x.mean(0))
    nearest = torch.cdist(z.flatten(1), centres.flatten(1)).min(dim=1).values
    expected = h**2 * float(x.var(dim=0).sum())
    assert float(nearest.square().mean()) == pytest.approx(expected, rel=0.05)


def test_the_full_bandwidth_is_the_shrunk_prior() -> None:
    """Equal, once Shrunk's generators have made the choice of a reference too."""
    x = latents()
    generators = [generator(0, i) for i in range(50)]
    for g in generators:
        torch.randint(len(x), (), generator=g)
    assert torch.allclose(draws(KDE(1.0).fit(x), 50), Shrunk(None).fit(x).draw(generators), atol=1e-5)


def test_an_item_does_not_depend_on_its_batch() -> None:
    kde = KDE(0.5).fit(latents())
    assert torch.allclose(draws(kde, 5)[3], kde.draw([generator(0, 3)])[0], atol=1e-5)


@pytest.mark.parametrize("h", [-0.1, 1.01, math.nan])
def test_bad_settings(h: float) -> None:
    with pytest.raises(UserError, match=r"prior\.bandwidth must lie in \[0, 1\]"):
        KDE(h)
