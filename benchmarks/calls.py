"""Network calls for the round-trip error of 80 DDIM steps, uniform in t, each way.

Eight images per domain go up to level 900 and back, in fp32. The paper's setting gives the PSNR to
reach; the other solvers take as many steps as they need to reach it. The figure is the number of
network calls each way, one value per domain, so "spread" is over domains here. No time is measured.
"""

import torch
from torch import Tensor

from benchmarks.measure import Figure, figure
from benchmarks.networks import embedded_model, psnr, test_images
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import Grid, karras, uniform_lambda, uniform_t
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.models.base import FrozenModel

LEVEL, PAPER, IMAGES = 900.0, 80, 8
CANDIDATES: dict[str, tuple[Solver, Grid, tuple[int, ...], float | None]] = {
    "dpmpp_2m, uniform_lambda": (DPMpp2M(), uniform_lambda, (6, 8, 10, 12, 14, 16, 20, 24, 32), 16),
    "dpmpp_2m, karras": (DPMpp2M(), karras, (6, 8, 10, 12, 14, 16, 20, 24, 32), 16),
    "ddim, uniform_lambda": (DDIM(), uniform_lambda, (32, 48, 64, 80, 96), None),
}


def round_trip(model: FrozenModel, x: Tensor, solver: Solver, grid: Grid, steps: int) -> float:
    """PSNR in dB of `x` after the way up to LEVEL and back."""
    levels = grid(model.schedule, LEVEL, steps)
    with torch.inference_mode():
        z = integrate(model.eps, x, model.schedule, levels, solver)
        return psnr(integrate(model.eps, z, model.schedule, levels[::-1], solver), x)


def run() -> list[Figure]:
    """Calls needed per solver and grid."""
    model, domains = embedded_model(), test_images(IMAGES)
    goal = {name: round_trip(model, x, DDIM(), uniform_t, PAPER) for name, x in domains.items()}
    found = []
    for name, (solver, grid, counts, target) in CANDIDATES.items():
        needed, details = [], []
        for domain, x in domains.items():
            for steps in counts:
                reached = round_trip(model, x, solver, grid, steps)
                if reached >= goal[domain]:
                    break
            needed.append(steps)
            more = "" if reached >= goal[domain] else "more than "
            details.append(f"{domain}: {more}{steps} ({reached:.1f} dB, paper {goal[domain]:.1f} dB)")
        found.append(
            figure(name, needed, unit="calls", target=target, better="lower", detail="; ".join(details))
        )
    return found
