"""Edit-friendly inversion comes back exactly, whatever the network; its noise maps have known moments."""

import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.edit_friendly import EditFriendly
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction
from tests.laws.gaussian import SCHEDULES, GaussianOracle, oracle

STEPS = 6


def drawing(shape: torch.Size, dtype: torch.dtype) -> Callable[[], Tensor]:
    g = torch.Generator().manual_seed(1)
    return lambda: torch.randn(shape, generator=g, dtype=dtype)


def inverted(
    eps: EpsFunction, x0: Tensor, schedule: Schedule, levels: list[float], eta: float
) -> tuple[Tensor, ...]:
    """The state at ``levels[-1]`` and the noise maps, from the step that leaves it on."""
    z = integrate(
        eps, x0, schedule, levels, EditFriendly(eta, 0), draw_noise=drawing(x0.shape, x0.dtype), clean=eps
    )
    return z.chunk(len(levels), dim=1)


def networks(dtype: torch.dtype) -> Iterator[EpsFunction]:
    """A perfect one, and one that magnifies the smallest difference a hundredfold and more."""
    exact, weights = oracle(), torch.randn(16, 16, dtype=dtype, generator=torch.Generator().manual_seed(2))
    yield lambda x, t: exact.eps(x, t).to(dtype)
    yield lambda x, t: 30 * torch.sin(3 * (x.flatten(1) @ weights) + t).view_as(x)


class Multistep(DPMpp2M):
    """Somebody's own, whose steps depend on the ones before."""

    stochastic = False
    noise_maps = True
    eta = 0.7
    seed = 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [500.0, 1000.0])
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_round_trip_is_exact_for_any_network(name: str, level: float, dtype: torch.dtype) -> None:
    """To the rounding of one step: every state that denoising passes is, bit by bit, one of the inversion."""
    schedule = SCHEDULES[name]
    levels, x0 = uniform_lambda(schedule, level, STEPS), drawing(torch.Size((4, 1, 4, 4)), dtype)()
    for eps, solver in itertools.product(networks(dtype), (EditFriendly(0.7, 0), Multistep())):
        up: list[Tensor] = []
        down: list[Tensor] = []
        noise = drawing(x0.shape, dtype)
        z = integrate(eps, x0, schedule, levels, solver, draw_noise=noise, on_step=up.append, clean=eps)
        back = integrate(eps, z, schedule, levels[::-1], solver, on_step=down.append, clean=eps)
        assert z.shape == (4, STEPS + 1, 4, 4) and z.dtype == dtype
        assert all(torch.equal(a, b) for a, b in zip(up, down, strict=True))
        assert float((back - x0).abs().max()) < 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("eta", [0.5, 1.0])
@pytest.mark.parametrize("name", ["linear", "exploding", "flow"])
def test_maps_of_an_image_that_the_network_knows(name: str, eta: float) -> None:
    """Variance (2 - q)/q and -sqrt((1 - q')/((2 - q)(2 - q'))) as correlation with the next one, q being the
    share of fresh noise; nothing beyond neighbours, and nothing left for the last map."""
    schedule, x0 = SCHEDULES[name], torch.full((50_000, 1, 1, 1), 0.3, dtype=torch.float64)
    levels = uniform_lambda(schedule, 500.0, STEPS)

    def eps(x: Tensor, t: float) -> Tensor:
        return (x - schedule.alpha(t) * x0) / schedule.sigma(t)

    _, *maps, last = inverted(eps, x0, schedule, levels, eta)
    assert float(last.abs().max()) < 1e-9
    found = torch.cov(torch.cat(maps, dim=1).flatten(1).T)
    pairs = itertools.pairwise(levels[:0:-1])
    q = [eta**2 * (1 - (schedule.s(b) / schedule.s(a)) ** 2) for a, b in pairs]
    expected = torch.diag(torch.tensor([(2 - each) / each for each in q], dtype=torch.float64))
    for i, (first, second) in enumerate(itertools.pairwise(q)):
        correlation = -math.sqrt((1 - second) / ((2 - first) * (2 - second)))
        expected[i, i + 1] = expected[i + 1, i] = (
            correlation * (expected[i, i] * expected[i + 1, i + 1]).sqrt()
        )
    assert close(found, expected, len(x0))
    if eta == 1 and name == "linear":  # steps of equal length h in lambda
        h = schedule.lam(levels[1]) - schedule.lam(levels[2])
        assert float(expected[0, 0]) == pytest.approx(1 / math.tanh(h), rel=1e-3)
        assert expected[0, 1] / expected[0, 0] == pytest.approx(-1 / (2 * math.cosh(h)), rel=1e-3)


@pytest.mark.parametrize("variance", [0.05**2, 0.8**2])
@pytest.mark.parametrize("name", ["linear", "exploding", "flow"])
def test_maps_of_gaussian_data(name: str, variance: float) -> None:
    """What the network does not know of the image comes on top: moments from those of image and noise."""
    schedule, eta, n = SCHEDULES[name], 0.8, 50_000
    exact = GaussianOracle(schedule, torch.zeros(1), torch.tensor([variance]))
    levels = uniform_lambda(schedule, 500.0, STEPS)
    x0 = variance**0.5 * torch.randn(
        n, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    found = torch.cov(torch.cat(inverted(exact.eps, x0, schedule, levels, eta), dim=1).flatten(1).T)
    rows = [state := row_of(schedule, levels[-1], variance, STEPS)]
    for i, (a, b) in enumerate(itertools.pairwise(levels[::-1])):
        below = row_of(schedule, b, variance, STEPS - 1 - i)
        r = schedule.s(b) / schedule.s(a)
        fresh = eta * schedule.sigma(b) * math.sqrt(1 - r**2)
        total = schedule.alpha(a) ** 2 * variance + schedule.sigma(a) ** 2
        rest = math.sqrt(schedule.sigma(b) ** 2 - fresh**2)
        mean = (schedule.alpha(a) * schedule.alpha(b) * variance + rest * schedule.sigma(a)) / total
        rows.append((below - mean * state) / (fresh or schedule.sigma(a)))
        state = below
    factors = torch.stack(rows)
    assert close(found, factors @ factors.T, n)
    assert bool((found.diagonal()[1:-1] > 1).all())
    assert bool((found.diagonal(1)[1:-1] < 0).all())


def row_of(schedule: Schedule, t: float, variance: float, number: int) -> Tensor:
    """A state as a combination of the image and of the noise in the states 1, 2, …, all of unit variance."""
    row = torch.zeros(STEPS + 1, dtype=torch.float64)
    row[0] = schedule.alpha(t) * variance**0.5
    row[number] += schedule.sigma(t)
    return row


def close(found: Tensor, expected: Tensor, n: int) -> bool:
    """Whether a sample covariance of n Gaussian draws is what it should be, within 5 standard errors."""
    variances = expected.diagonal()
    errors = ((variances[:, None] * variances + expected.square()) / n).sqrt()
    return bool(((found - expected).abs() <= 5 * errors + 1e-12).all())


def test_latents_without_their_maps_are_refused() -> None:
    with pytest.raises(UserError, match="must hold a state and 2 noise maps, but got"):
        integrate(lambda x, t: x, torch.zeros(1, 4, 2, 2), Schedule.linear(), [9, 3, 0], EditFriendly(1, 0))


@pytest.mark.parametrize("eta", [0, -1, "abc", True, float("nan"), 1.1])
def test_there_is_no_map_without_noise(eta: float) -> None:
    with pytest.raises(UserError, match=r"must be positive|must be at most 1"):
        EditFriendly(eta, 0)
