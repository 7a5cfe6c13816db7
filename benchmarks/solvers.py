"""The tables of docs/solvers.md: what a solver and a grid do to latents and round trips, per network call.

    python -m benchmarks.solvers [LEVEL …] [solvers=NAME,…] [grids=NAME,…] [calls=N,…] [DOMAIN=FOLDER …]

Without arguments: level 500, everything, self-generated images and the two simulated domains. With DOMAINs
(folders or .zip files in the folder data=…): theirs and radiation_sim. Every one brings four held-out images
of its own. Reference: Heun with 100 λ-uniform steps. Latent: root-mean-square error over that of the
reference, in per cent. Round trip: PSNR in dB of 8-bit images, up and down with the same solver. No time is
measured.
"""

import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.networks import embedded_model, psnr, relative_error, test_images
from ood_diffusion.diffusion.ab2 import AB2
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import karras, uniform_lambda, uniform_t
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.diffusion.unipc import UniPC
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.image_zip import ImageZip
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import to_unit_range

IMAGES = 4
GRIDS = {"uniform_lambda": uniform_lambda, "karras": karras, "uniform_t": uniform_t}
# Every solver on uniform_lambda; the other grids with the two that matter.
ROWS = [(s, "uniform_lambda") for s in ("ddim", "ab2", "heun", "dpmpp_2m", "unipc", "fixed_point")]
ROWS += list(itertools.product(("ddim", "dpmpp_2m"), ("karras", "uniform_t")))


def solver(name: str) -> tuple[Solver, int]:
    """A solver and the steps that a budget of calls is divided by (an estimate for `fixed_point`)."""
    chosen: dict[str, tuple[Solver, int]] = {
        "ddim": (DDIM(), 1),
        "ab2": (AB2(), 1),
        "heun": (Heun(), 2),
        "dpmpp_2m": (DPMpp2M(), 1),
        "unipc": (UniPC(), 1),
        "fixed_point": (FixedPoint(tolerance=1e-3, max_iterations=30), 4),
    }
    return chosen[name]


def table(
    model: FrozenModel,
    domains: Mapping[str, Tensor],
    level: float,
    rows: Sequence[tuple[str, str]],
    budgets: Sequence[int],
) -> str:
    """Markdown: one row per solver, grid and budget; latent error and round trip per domain."""
    x = torch.cat(list(domains.values()))
    parts = [slice(i * IMAGES, (i + 1) * IMAGES) for i in range(len(domains))]
    fine = uniform_lambda(model.schedule, level, 100)
    heads = [f"{name}: latent | round trip" for name in domains]
    lines = [f"| solver | grid | steps | calls up, down | {' | '.join(heads)} |"]
    lines.append("|---" * (4 + 2 * len(domains)) + "|")
    with torch.inference_mode():
        reference = integrate(model.eps, x, model.schedule, fine, Heun())
        for (name, grid), budget in itertools.product(rows, budgets):
            method, share = solver(name)
            steps = budget // share
            levels = GRIDS[grid](model.schedule, level, steps)
            before = model.network_calls
            z = integrate(model.eps, x, model.schedule, levels, method)
            up = (model.network_calls - before) / len(x)
            back = integrate(model.eps, z, model.schedule, levels[::-1], method)
            down = (model.network_calls - before) / len(x) - up
            cells = [
                f"{100 * relative_error(z[p], reference[p]):.1f} % | {psnr(back[p], x[p]):.1f} dB"
                for p in parts
            ]
            lines.append(f"| {name} | {grid} | {steps} | {up:.0f}, {down:.0f} | {' | '.join(cells)} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print one table per level."""
    levels = [float(a) for a in arguments if "=" not in a] or [500.0]
    given = dict(a.split("=", 1) for a in arguments if "=" in a)
    root = given.pop("data", "")
    solvers, grids = ({*given.pop(name, "").split(",")} for name in ("solvers", "grids"))
    rows = [(s, g) for s, g in ROWS if {s, ""} & solvers and {g, ""} & grids]
    budgets = [int(n) for n in given.pop("calls", "8,12,16,32").split(",")]
    domains = test_images(IMAGES)
    if given:
        domains = {"radiation_sim": domains["radiation_sim"]}
    for name, path in ((name, Path(root, path)) for name, path in given.items()):
        domain = (ImageZip if path.suffix == ".zip" else ImageFolder)(64, path)
        pictures = torch.stack([domain.render("held_out", i) for i in range(IMAGES)])
        domains[name] = to_unit_range(pictures)
    for level in levels:
        print(f"\n### Level {level:g}\n\n{table(embedded_model(), domains, level, rows, budgets)}")


if __name__ == "__main__":
    main(sys.argv[1:])
