"""What the frozen model is: a card, its speed, and a grid of images of its own domain."""

import itertools
import logging
import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.optional import optional
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.plan.work import Share, Work
from ood_diffusion.report.results import Model, Results
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.seeding import generator, normal
from ood_diffusion.storage.atomic import atomic_write

log = logging.getLogger(__name__)

LITTLE_SIGNAL = 1e-3
"""Share of the image in the variance (alpha_bar) that counts as pure noise. DDPM's schedule ends at 4e-5."""
FAR = (
    "The schedule ends far from noise: alpha_bar = %.2g at its last level, %g, so images sampled from pure "
    "noise are biased (as in Stable Diffusion). If the network was trained otherwise, correct model.schedule."
)
EARLY = (
    "The schedule reaches noise early: alpha_bar = %.2g at level %g, halfway, so all levels above it are "
    "nearly the same. If the network was trained otherwise, correct model.schedule (improved-diffusion's is "
    "schedule@model.schedule=linear_rescaled)."
)
SHOWN = 8
"""Images, at most: 114 million parameters at 256 pixels take two seconds a call on two CPU cores."""


@dataclass(frozen=True)
class Inspect(Stage):
    """Describes the model, and draws from the standard normal at the top of its schedule.

    The images say at a glance whether checkpoint, schedule and prediction type belong together. They go
    to `model.png` in the run folder, the rest to `results.json`.
    """

    needs: ClassVar[frozenset[Need]] = frozenset()

    def __call__(self, run: Run, earlier: Results) -> Results:
        """The card of the model."""
        return {"model": inspect(run)}

    def share(self, run: Run, known: Known) -> Share:
        """Images from the top of the schedule, which no store keeps."""
        schedule, n = run.model.schedule, min(run.settings.n_samples, SHOWN)
        levels = run.grid(schedule, float(schedule.timesteps), run.settings.steps)
        calls = calls_along(run.solver, schedule, levels[::-1], run.settings.eta)
        return Share(
            [Work("inspect", str(run.workspace.folder), {str(i): False for i in range(n)}, calls, n)]
        )


def inspect(run: Run) -> Model:
    """The card, and the picture of own images."""
    model, schedule = run.model, run.model.schedule
    warn(schedule)
    images, speed = own_images(run)
    with optional("draw model.png"):
        atomic_write(run.workspace.folder / "model.png", png_bytes(grid(run.view(images), 4)))
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "image_shape": list(model.image_shape),
        "state_shape": list(model.state_shape),
        "prediction_type": model.prediction_type,
        "timesteps": schedule.timesteps,
        "lambda_first": schedule.lam(1),
        "lambda_last": schedule.lam(schedule.timesteps) if schedule.alpha(schedule.timesteps) else None,
        "signal": {f"{t:g}": schedule.signal(t) for t in five_levels(schedule)},
        "digest": model.digest(),
        "images_per_second": speed,
        "picture": str(run.workspace.folder / "model.png"),
    }


def five_levels(schedule: Schedule) -> list[float]:
    """Level 1, the quarters, and T."""
    return [1.0, *(schedule.timesteps * k / 4 for k in (1, 2, 3, 4))]


def warn(schedule: Schedule) -> None:
    """Say if the levels of `schedule` end far from noise, or reach it early: it may not be the network's."""
    top, half = schedule.timesteps, schedule.timesteps / 2
    if schedule.signal(top) > LITTLE_SIGNAL:
        log.warning(FAR, schedule.signal(top), top)
    if schedule.signal(half) < LITTLE_SIGNAL:
        log.warning(EARLY, schedule.signal(half), half)


def own_images(run: Run) -> tuple[Tensor, float | None]:
    """Images of the model's own domain, from the run's solver, grid, steps and eta.

    Returns:
        Images ``[n, C, H, W]``, and how many images pass the network per second: the median over the
        steps after the first, in which things warm up; None if there was but one.
    """
    settings, model = run.settings, run.model
    levels = run.grid(model.schedule, float(model.schedule.timesteps), settings.steps)
    device = run.workspace.ranks.device
    solver = DDIM() if run.solver.noise_maps else run.solver  # there are no maps: the noise is fresh
    module = Generator(model, solver, levels, settings.eta, settings.seed, run.dtype)
    model.to(device)
    n = min(settings.n_samples, SHOWN)
    ids = [str(i) for i in range(n)]
    marks: list[tuple[float, int]] = []
    with Meter("inspect", n, calls=module.calls_counter(), device=device) as meter:

        def step(images: float) -> None:
            meter.advance(images)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            marks.append((time.perf_counter(), model.network_calls))

        module.on_progress = step
        z = normal([generator(settings.seed, "inspect", i) for i in ids], model.state_shape)
        z *= model.schedule.scale(levels[-1])
        with torch.inference_mode():
            images = module.images({"ids": ids, "data": z.to(device)})
    rates = [(calls - before) / (now - then) for (then, before), (now, calls) in itertools.pairwise(marks)]
    return images, float(torch.tensor(rates).median()) if rates else None
