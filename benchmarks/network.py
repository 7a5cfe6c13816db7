"""The same UNet and network calls: ours against diffusers' DDIM loop.

Both denoise one batch of 32 latents from level 1000 to the clean image by 8 DDIM steps at the same
timesteps, with the embedded network. Theirs is the loop a user of diffusers writes
(`scheduler.step(unet(x, t))`, tensors as loaded), plain and with bf16 autocast and `torch.compile`.
Ours is `integrate` with the settings named. Compilation is not counted; its cost and what it takes to
earn it back are in the last line. The error of a fast path is that of latents inverted to the top of
the schedule, against fp32, with everything else equal.
"""

import copy
import time
from collections.abc import Callable

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from benchmarks.measure import Figure, alternate, figure, ratios
from benchmarks.networks import embedded_model, relative_error, test_images
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.lightning.trajectory import inverting
from ood_diffusion.models.base import FrozenModel

BATCH, STEPS, ROUNDS = 32, 8, 5


def theirs(compiled: bool) -> Callable[[Tensor], Tensor]:
    """diffusers' loop."""
    network = copy.deepcopy(embedded_model().network).to(memory_format=torch.contiguous_format)
    forward = torch.compile(network) if compiled else network
    scheduler = DDIMScheduler(
        num_train_timesteps=1000, beta_schedule="linear", prediction_type="v_prediction", clip_sample=False
    )
    scheduler.set_timesteps(STEPS)

    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            for t in scheduler.timesteps:
                with torch.autocast("cpu", torch.bfloat16, enabled=compiled):
                    output = forward(x, t)
                x = scheduler.step(output.float(), t, x).prev_sample
        return x

    return run


def ours(precision: str, compiled: bool) -> tuple[FrozenModel, Callable[[Tensor], Tensor]]:
    """Our loop on the timesteps that diffusers chose."""
    model = embedded_model().compute_in(precision, compiled)
    scheduler = DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    scheduler.set_timesteps(STEPS)
    levels = [float(t) + 1 for t in scheduler.timesteps] + [0.0]

    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return integrate(model.eps, x, model.schedule, levels, DDIM())

    return model, run


def run() -> list[Figure]:
    """Speed ratios, errors of the fast paths, and the cost of compilation."""
    settings = {"fp32": ("fp32", False), "bf16": ("bf16", False), "bf16 + compile": ("bf16", True)}
    pairs = {name: ours(*chosen) for name, chosen in settings.items()}
    loops = {f"ours, {name}": loop for name, (_, loop) in pairs.items()}
    loops |= {"diffusers, fp32 eager": theirs(False), "diffusers, bf16 + compile": theirs(True)}
    x = torch.randn(BATCH, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    compile_seconds = first_call(loops["ours, bf16 + compile"], x)
    seconds = alternate({name: lambda run=loop: run(x) for name, loop in loops.items()}, ROUNDS)
    rate = {name: BATCH * STEPS / sorted(s)[ROUNDS // 2] for name, s in seconds.items()}
    difference = relative_error(loops["ours, fp32"](x), loops["diffusers, fp32 eager"](x))
    found = []
    for name, slow, target in (
        ("ours, fp32", "diffusers, fp32 eager", None),
        ("ours, bf16", "diffusers, fp32 eager", None),
        ("ours, bf16 + compile", "diffusers, fp32 eager", 3.0),
        ("ours, bf16 + compile", "diffusers, bf16 + compile", 1.0),
    ):
        detail = f"{rate[name]:.0f} against {rate[slow]:.0f} image-calls/s"
        if name == "ours, fp32":
            detail += f"; images agree to {difference:.0e}"
        speed = ratios(seconds[slow], seconds[name])
        found.append(figure(f"{name} / {slow}", speed, target=target, detail=detail))
    found += errors({name: model for name, (model, _) in pairs.items()})
    gain = 1 / rate["ours, bf16"] - 1 / rate["ours, bf16 + compile"]
    pays = f"pays from {compile_seconds / gain:,.0f} image-calls on" if gain > 0 else "never pays"
    found.append(figure("first call with compile", [compile_seconds], unit="s", detail=pays))
    return found


def first_call(loop: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Seconds of a call that compiles, less those of one that does not."""
    start = time.perf_counter()
    loop(x)
    middle = time.perf_counter()
    loop(x)
    return (middle - start) - (time.perf_counter() - middle)


def errors(models: dict[str, FrozenModel]) -> list[Figure]:
    """Relative error of latents at the top, one value per domain, for every setting but fp32."""
    exact = models["fp32"]
    levels = uniform_lambda(exact.schedule, 1000, 16)
    found: dict[str, list[float]] = {name: [] for name in models if name != "fp32"}
    domains = test_images(BATCH)
    with torch.inference_mode():
        for x in domains.values():
            z = integrate(inverting(exact), x, exact.schedule, levels, DPMpp2M())
            for name, values in found.items():
                fast = integrate(inverting(models[name]), x, exact.schedule, levels, DPMpp2M())
                values.append(relative_error(fast, z))
    return [
        figure(
            f"relative error of latents at level 1000, {name} against fp32",
            values,
            unit="",
            target=1e-2,
            better="lower",
            detail="; ".join(f"{d}: {v:.1e}" for d, v in zip(domains, values, strict=True)),
        )
        for name, values in found.items()
    ]
