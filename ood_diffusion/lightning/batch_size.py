"""`batch_size=auto`: the largest batch that fits and still pays."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_lightning.utilities.memory import garbage_collection_cuda

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.memory import out_of_memory
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.storage.record import read_record, write_record

LIMIT = 256
"""No larger batch is tried: the rate of any network has levelled off by then."""
GAIN = 1.05
"""A batch twice as large must be this much faster per image to be worth its memory."""


def remembered_batch_size(model: FrozenModel, device: torch.device, folder: Path) -> int:
    """`best_batch_size` of `model`, measured once per model, arithmetic and kind of device.

    The answer is kept in `folder`: batches then have one shape whoever resumes or shares the work.
    """
    path = record_of(model, device, folder)
    size = read_record(path)
    if size is None:
        size = best_batch_size(measured_rate(model, device))
        write_record(path, size)
    return int(size)


def record_of(model: FrozenModel, device: torch.device, folder: Path) -> Path:
    """Where the answer is kept; deleted where it has proved wrong."""
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return folder / f"{fingerprint([model.recipe(), model.arithmetic_recipe(lambda: device), kind])}.json"


def best_batch_size(rate: Callable[[int], float]) -> int:
    """Double from 1 while memory lasts and images per second grow by `GAIN`.

    Args:
        rate: images per second at a batch size; raises what PyTorch raises where memory runs out.

    Returns:
        A power of two, at most `LIMIT`.

    Raises:
        UserError: if not even one image fits.
    """
    best, speed = 0, 0.0
    while best < LIMIT:
        larger = max(2 * best, 1)
        try:
            faster = rate(larger)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            garbage_collection_cuda()
            break
        if faster < GAIN * speed:
            break
        best, speed = larger, faster
    if best == 0:
        raise UserError(
            "expected one image to fit into memory, but the network ran out of it at batch size 1. Use a "
            "smaller model, precision=bf16 or a device with more memory."
        )
    return best


def measured_rate(
    model: FrozenModel, device: torch.device, precision: str | None = None
) -> Callable[[int], float]:
    """Images per second of one call of the network, not compiled, after one that warms up.

    All that a loop does is tried before: encode, call the network in fp32 and decode, with a quarter more
    images, which leaves room for what a loop holds besides.

    Args:
        model: the frozen model.
        device: where.
        precision: of the call; None: the model's.
    """
    level = float(model.schedule.timesteps)
    model.to(device)

    def rate(batch_size: int) -> float:
        with torch.inference_mode():
            more = batch_size + -(-batch_size // 4)
            x = model.encode(torch.zeros(more, *model.image_shape, device=device))
            model.output(model.network, x, 1.0, "fp32")
            model.decode(x)
            x = x[:batch_size]
            for _ in range(2):
                start = time.perf_counter()
                finished = model.output(model.network, x, level, precision or model.precision)
                float(finished.flatten()[0])  # waits for the device
                seconds = time.perf_counter() - start
        model.network_calls += more + 2 * batch_size
        return batch_size / seconds

    return rate
