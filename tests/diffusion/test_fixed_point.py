"""Fixed-point inversion: exact with the real network, each image on its own, and honest when it fails."""

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import Convergence, History
from ood_diffusion.runs.assemble import build
from tests.composed import composed

schedule = Schedule.linear()


def eps(x: Tensor, t: float) -> Tensor:
    return torch.tanh(x) * (0.3 + t / 2000)


@pytest.mark.slow
def test_encode_and_decode_are_inverse_with_the_embedded_model() -> None:
    model = build(composed().model)
    ramp = torch.linspace(-1, 1, 64)
    x = torch.stack([ramp.expand(64, 64), ramp.expand(64, 64).T, ramp.flip(0).expand(64, 64)])[None]
    levels = uniform_lambda(model.schedule, 200, 8)
    solver = FixedPoint(tolerance=1e-6, max_iterations=60)
    with torch.inference_mode():
        z = integrate(model.eps, x, model.schedule, levels, solver)
        back = integrate(model.eps, z, model.schedule, levels[::-1], solver)
    assert float((back - x).square().mean().sqrt()) < 1e-5
    assert float((z - x).square().mean().sqrt()) > 0.1  # it went somewhere


def test_an_image_does_not_depend_on_its_batch() -> None:
    g = torch.Generator().manual_seed(0)
    easy, hard = 0.01 * torch.randn(2, 3, 4, 4, generator=g), 3 * torch.randn(2, 3, 4, 4, generator=g)
    levels = [0.0, 1.0, 200.0, 600.0]

    def run(x: Tensor) -> Tensor:
        return integrate(eps, x, schedule, levels, FixedPoint(tolerance=1e-3, max_iterations=50))

    assert torch.equal(run(torch.cat([easy, hard]))[:2], run(easy))


def convergence(solver: FixedPoint, x: Tensor, rows: int) -> Convergence:
    history = History()
    integrate(eps, x, schedule, [0.0, 1.0, 600.0], solver, history=history)
    return history.convergence(rows)


def test_what_has_not_converged_is_told_of_each_trajectory_alone() -> None:
    """The solver is shared by all levels, domains and stages: it keeps nothing."""
    solver = FixedPoint(tolerance=1e-9, max_iterations=2)
    found = convergence(solver, torch.randn(3, 3, 4, 4), 3)
    assert found.steps == 6 and found.not_converged >= 3 and found.largest_change > 1e-9
    assert found.report()["iterations_mean"] == 2
    assert convergence(solver, torch.zeros(3, 3, 4, 4), 3) == Convergence(6, 6)
    assert vars(solver) == {"tolerance": 1e-9, "max_iterations": 2}


def test_an_image_converges_whatever_fills_its_batch() -> None:
    g = torch.Generator().manual_seed(0)
    easy, hard = 0.01 * torch.randn(2, 3, 4, 4, generator=g), 3 * torch.randn(2, 3, 4, 4, generator=g)
    solver = FixedPoint(tolerance=1e-3, max_iterations=4)
    alone, other = (convergence(solver, x, 2) for x in (easy, hard))
    assert convergence(solver, torch.cat([easy, hard]), 2) == alone != other
    assert convergence(solver, torch.cat([easy, hard]), 4) == alone + other


def test_explicit_solvers_have_nothing_to_tell() -> None:
    history = History()
    integrate(eps, torch.randn(3, 3, 4, 4), schedule, [0.0, 1.0, 600.0], DDIM(), history=history)
    assert history.convergence(3) == Convergence()


def test_tighter_tolerance_needs_more_calls_and_enters_the_recipe() -> None:
    loose, tight = (FixedPoint(tolerance=tolerance, max_iterations=50) for tolerance in (1e-2, 1e-6))
    x = torch.randn(3, 3, 4, 4)
    assert convergence(loose, x, 3).iterations < convergence(tight, x, 3).iterations
    assert loose.settings() != tight.settings()


@pytest.mark.parametrize(("setting", "value"), [("tolerance", 0.0), ("max_iterations", 0)])
def test_settings_are_checked(setting: str, value: float) -> None:
    good: dict[str, float] = {"tolerance": 1e-5, "max_iterations": 5}
    with pytest.raises(UserError, match=f"solver.{setting} must be"):
        FixedPoint(**{**good, setting: value})  # type: ignore[arg-type]
