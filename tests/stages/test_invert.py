"""References to latents: each once, right to the solver's order, whatever the batch."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion.diffusion.solver import Convergence
from ood_diffusion.pixels import to_unit_range
from ood_diffusion.report.results import Results
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.invert import Invert, invert
from tests.cli import QUICK
from tests.lightning.networks import exact_scale
from tests.runs.test_run import made

IMPLICIT = ("solver=fixed_point", "solver.tolerance=1e-4", "level=300", "steps=4")


def latents(run: Run) -> Tensor:
    return run.bank.read(list(run.references))


def first(run: Run, n: int) -> Run:
    return run.at(subset=dict(list(run.references.items())[:n]))


@pytest.mark.parametrize(("solver", "order"), [("ddim", 1), ("dpmpp_2m", 2), ("heun", 2)])
def test_latents_approach_the_exact_map_at_the_solvers_order(tmp_path: Path, solver: str, order: int) -> None:
    """Of all Gaussian data it is a factor; twice the steps, an error smaller by 2 to the order."""
    run = made(tmp_path, *QUICK, f"solver={solver}", "n_references=3", "stages=[invert]", "steps=8")
    images = to_unit_range(run.pictures.read(list(run.references.values())))
    errors = []
    for steps in (8, 16):
        at = run.at(steps=steps)
        invert(at)
        exact = exact_scale(run.model, 500) * images
        errors.append(float((latents(at) - exact).square().mean().sqrt() / exact.square().mean().sqrt()))
    assert errors[1] < 0.1
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.15)


def test_again_it_computes_nothing_and_finds_the_same(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK)
    invert(run)
    found, calls = latents(run), run.model.network_calls
    assert calls == 12 * 2
    again = made(tmp_path, *QUICK)
    for other in (run, again, again.at(subset=dict(reversed(again.references.items())))):
        assert invert(other) == Convergence()
    assert run.model.network_calls == calls and again.model.network_calls == 0
    assert torch.equal(latents(again), found)


def test_latents_depend_neither_on_the_batch_nor_on_what_else_is_inverted(tmp_path: Path) -> None:
    few, all_of_them = (made(tmp_path / name, *QUICK) for name in ("few", "all"))
    invert(first(few, 3).at(batch_size=2))
    invert(all_of_them.at(batch_size=5))
    torch.testing.assert_close(latents(first(few, 3)), latents(all_of_them)[:3], rtol=0, atol=1e-6)


def test_an_implicit_solver_accounts_for_what_was_computed(tmp_path: Path) -> None:
    """What fills a batch counts no more than what was there; the parts add up to the whole."""
    apart, at_once = (made(tmp_path / name, *QUICK, *IMPLICIT) for name in ("apart", "at_once"))
    part, rest, whole = invert(first(apart, 5)), invert(apart), invert(at_once)
    assert (part.steps, rest.steps, whole.steps) == (5 * 4, 7 * 4, 12 * 4)
    assert part + rest == whole and whole.not_converged == 0


def test_only_an_implicit_solver_that_solved_something_is_in_the_results(tmp_path: Path) -> None:
    explicit, implicit = made(tmp_path, *QUICK), made(tmp_path, *QUICK, *IMPLICIT)
    assert Invert()(explicit, Results()) == {}
    solver = Invert()(implicit, Results())["solver"]
    assert solver["not_converged"] == 0 and 0 < solver["largest_change"] <= 1e-4
    assert 1 < solver["iterations_mean"] < 30
    assert Invert()(implicit, Results()) == {}
