"""What the frozen model is: a card, its speed, and a grid of images of its own domain."""

import itertools
import time

import torch
from torch import Tensor

from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.optional import optional
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.plan import SHOWN
from ood_diffusion.seeding import generator, normal
from ood_diffusion.storage.atomic import atomic_write


def inspect(cell: Cell) -> None:
    """Describe the model, and draw from the standard normal at the top of its schedule.

    The images say at a glance whether checkpoint, schedule and prediction type belong together. They go
    to `model.png` in the run folder, the rest to `results.json`.
    """
    model, schedule = cell.model, cell.model.schedule
    images, speed = own_images(cell)
    with optional("draw model.png"):
        atomic_write(cell.run_folder / "model.png", png_bytes(grid(images, 4)))
    cell.results["model"] = {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "image_shape": list(model.image_shape),
        "state_shape": list(model.state_shape),
        "prediction_type": model.prediction_type,
        "timesteps": schedule.timesteps,
        "lambda_first": schedule.lam(1),
        "lambda_last": schedule.lam(schedule.timesteps),
        "digest": model.digest(),
        "images_per_second": speed,
        "picture": str(cell.run_folder / "model.png"),
    }


@torch.inference_mode()
def own_images(cell: Cell) -> tuple[Tensor, float | None]:
    """Images of the model's own domain, from the cell's solver, grid, steps and eta.

    Returns:
        uint8 ``[n, 3, H, W]``, and how many images pass the network per second: the median over the
        steps after the first, in which things warm up; None if there was but one.
    """
    settings, model = cell.settings, cell.model
    levels = cell.grid(model.schedule, float(model.schedule.timesteps), settings.steps)
    device = cell.ranks.device
    module = Generator(model, cell.solver, levels, settings.eta, settings.seed).to(device)
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
