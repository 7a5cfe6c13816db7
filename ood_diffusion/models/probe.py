"""Does a user's network do what its contract says? Asked at three levels, before it is used."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.seeding import generator, normal

log = logging.getLogger(__name__)

ROUNDING = 1e-4
"""Largest difference of two answers, as a share of the largest value in them, that is taken for rounding."""
COARSE = 0.05
"""The same where only the number of images differs: half precision inside the network rounds otherwise."""

Ask = Callable[..., Tensor]
"""Images, each ``[1, C, H, W]``, and ``t=`` their level -> the network's output for them, float32."""


def probe(model: FrozenModel) -> None:
    """Ask a user's network about random states at three levels, in batches of one and of two; once a model.

    Its twelve images are not among `network_calls`, which are those of a run.

    Raises:
        UserError: if its output has another shape than the states or is no finite real number, if an image's
            answer depends on what was asked before, on chance or on its batch, or if weights are written to.
    """
    if model.trusted:
        return
    noise = normal([generator(0, "probe", name) for name in "abc"], model.state_shape)
    images = (noise[:1], noise[1:2], noise[2:])
    a, b, _ = images
    device = next((tensor.device for tensor in model.network.state_dict().values()), torch.device("cpu"))

    @torch.inference_mode()
    def ask(*images: Tensor, t: float) -> Tensor:
        x = torch.cat(images).to(device)
        return checked(model.output(model.network, x, t, "fp32"), x, t)

    last = float(model.schedule.timesteps)
    between = last // 100 + 1.5 if last > 1 else 1.0
    stance = getattr(torch.compiler, "set_stance", nullcontext)  # PyTorch < 2.6 has none
    with stance("force_eager"), Watch(model) as watch:
        first = ask(a, t=between)
    if first.dtype != torch.float32:
        log.warning("model.network returns %s: converted to float32", first.dtype)
    digest = model.digest()  # what a network makes for itself in its first call is made by now
    fault, alone = "", {}
    for turn, t in enumerate((between, last // 2 + 1, last)):
        batches = [(a, b), (a,)]
        found = {len(batch): ask(*batch, t=t) for batch in (batches[::-1] if turn == 1 else batches)}
        alone[t] = found[1]
        if difference(found[2][:1], found[1]) > ROUNDING:
            fault = why(ask, images, t, found)
        if fault:
            break
    if watch.changed or model.digest() != digest:
        raise UserError(
            "model.network must leave its weights and buffers as they are, but its forward writes to them, "
            "if only temporarily. The network is frozen: compute with copies."
        )
    if fault or difference(first, alone[between]) > ROUNDING:
        raise UserError(
            f"model.network must give an image one output, whatever the call, but {fault or STATE}"
        )
    model.trusted = True
    if last > 1 and not model.whole_timesteps and difference(alone[between], alone[last]) > 0:
        for whole in (between - 0.5, between + 0.5):
            if torch.equal(ask(a, t=whole), alone[between]):
                log.warning(WHOLE, between - 1, whole - 1)
                break


STATE = (
    "it keeps state: called again with the same image and timestep it returns another output, whatever the "
    "seed of torch's generator. Make forward independent of earlier calls."
)
CHANCE = (
    "it draws random numbers in eval mode: called twice with one image and timestep it returns two outputs. "
    "Switch off its dropout or noise."
)
ROWS = (
    "its output for an image depends on the other image in the batch. Do not sum or normalise over the "
    "batch: BatchNorm needs running statistics."
)
NUMBER = (
    "its output for an image depends on the number of images in the batch. Do not divide by it or average "
    "over the batch."
)
WHOLE = (
    "model.network returns for timestep %g exactly what it returns for %g: it accepts only whole timesteps, "
    "but most levels of a grid are fractional. Let it accept fractions, or round timesteps instead of "
    "truncating them; solver=fixed_point has the best round trip with such a network."
)


def checked(output: object, x: Tensor, t: float) -> Tensor:
    """`output`, a network's for the states `x` at level `t`, if it can be one."""
    if not isinstance(output, Tensor) or output.shape != x.shape:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UserError(
            f"model.network must map images of shape {tuple(x.shape)} to a tensor of that shape, but got "
            f"{got}. Wrap it in a module that returns the prediction alone, a row for each image."
        )
    if not output.is_floating_point():
        raise UserError(
            f"model.network must return real floating-point numbers, but got {output.dtype}. "
            "Convert its output."
        )
    if not bool(output.isfinite().all()):
        raise UserError(
            f"model.network must return finite numbers, but got NaN or infinity for standard normal states "
            f"at level {t:g}. Check its weights, and that it takes timesteps from 0 to T-1."
        )
    return output


def difference(x: Tensor, y: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    x, y = x.double(), y.double()
    return float((x - y).abs().max() / torch.maximum(x.abs(), y.abs()).max().clamp_min(1e-30))


def why(ask: Ask, images: tuple[Tensor, ...], t: float, found: dict[int, Tensor]) -> str:
    """What makes the answers for the first image differ, with the remedy; empty if it is coarse rounding.

    Args:
        ask: asks the network.
        images: three of them.
        t: the level.
        found: what it said to the first two and to the first alone, by the number of images.
    """
    a, b, c = images
    pair, alone, again = (ask(*batch, t=t) for batch in ((a, b), (a,), (a,)))
    if max(difference(alone, again), difference(pair, found[2]), difference(alone, found[1])) > ROUNDING:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            seeded = []
            for batch in ((a, b), (a,), (a,)):
                torch.manual_seed(0)
                seeded.append(ask(*batch, t=t))
        by_chance = difference(alone, again) > ROUNDING >= difference(seeded[1], seeded[2])
        return CHANCE if by_chance else STATE
    if difference(ask(a, c, t=t)[:1], pair[:1]) > ROUNDING:
        return ROWS
    return NUMBER if difference(pair[:1], alone) > COARSE else ""


class Watch(TorchFunctionMode):
    """Sees whether weights are what they were whenever something is computed with them."""

    def __init__(self, model: FrozenModel) -> None:
        super().__init__()
        self.weights = {id(weight): (weight, tensor_digest(weight)) for weight in model.network.parameters()}
        self.changed = False

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called in place of every function of torch, with what that was given."""
        for given in (*args, *(kwargs or {}).values()):
            if id(given) in self.weights:
                self.changed |= tensor_digest(given) != self.weights[id(given)][1]
        return function(*args, **(kwargs or {}))
