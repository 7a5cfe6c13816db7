"""What the frozen model is: a card, its speed, and a grid of images of its own domain."""

import itertools
import time
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

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
        "lambda_last": schedule.lam(schedule.timesteps),
        "digest": model.digest(),
        "images_per_second": speed,
        "picture": str(run.workspace.folder / "model.png"),
    }


@torch.inference_mode()
def own_images(run: Run) -> tuple[Tensor, float | None]:
    """Images of the model's own domain, from the run's solver, grid, steps and eta.

    Returns:
        uint8 ``[n, C, H, W]``, and how many images pass the network per second: the median over the
        steps after the first, in which things warm up; None if there was but one.
    """
    settings, model = run.settings, run.model
    levels = run.grid(model.schedule, float(model.schedule.timesteps), settings.steps)
    device = run.workspace.ranks.device
    module = Generator(model, run.solver, levels, settings.eta, settings.seed).to(device)
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
        images = module.images({"ids": ids, "data": z.to(device)})
    rates = [(calls - before) / (now - then) for (then, before), (now, calls) in itertools.pairwise(marks)]
    return images, float(torch.tensor(rates).median()) if rates else None
