"""Every family denoises as diffusers' own schedulers and pipelines do, with the same tiny random weights."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch

pytest.importorskip(
    "diffusers", "0.33", reason="AuraFlow and shifts by image size are younger than this diffusers"
)
from diffusers import (
    AuraFlowTransformer2DModel,
    AutoencoderKL,
    DDIMPipeline,
    DDIMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    UNet2DModel,
)
from safetensors.torch import save_file
from torch import Tensor

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_pipeline import load_diffusers
from tests.models.tiny_pipelines import save_ddpm, save_ldm, tiny_unet

STEPS, LIMIT = 4, 1e-4


class Case(NamedTuple):
    """A family's pipeline in a folder.

    Args:
        ask: the network's output for a state and a timestep, asked as its pipeline asks it.
        scheduler: diffusers', of the pipeline, with its timesteps set.
        decode: states to images, as its pipeline does it.
        settings: of `load_diffusers`, beside the path.
        images: of the whole pipeline, in [0, 1], from a seed; None where that needs text encoders.
    """

    ask: Callable[[Tensor, Tensor], Tensor]
    scheduler: Any
    decode: Callable[[Tensor], Tensor] = lambda states: states
    settings: Mapping[str, Any] = MappingProxyType({})
    images: Callable[[torch.Generator], Any] | None = None


def same_noise(n: int, shape: tuple[int, int, int]) -> Tensor:
    """What a pipeline of diffusers draws first from `seeded()`."""
    return torch.randn((n, *shape), generator=seeded())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def small_unet() -> UNet2DModel:
    return tiny_unet(sample_size=8, block_out_channels=(16, 16), norm_num_groups=8)


def unet(folder: Path) -> Case:
    network, scheduler = save_ddpm(folder, small_unet()), DDIMScheduler(clip_sample=False)
    scheduler.save_pretrained(folder / "scheduler")
    scheduler.set_timesteps(STEPS)
    pipeline = DDIMPipeline(network, scheduler)
    return Case(
        lambda x, t: network(x, t).sample,
        scheduler,
        images=lambda g: pipeline(2, g, num_inference_steps=STEPS, output_type="np").images,
    )


def unet_edm(folder: Path) -> Case:
    network = save_ddpm(folder, small_unet())
    scheduler = EDMEulerScheduler(sigma_min=0.01, sigma_max=20.0, sigma_data=0.7)
    scheduler.save_pretrained(folder / "scheduler")
    scheduler.set_timesteps(STEPS)
    return Case(lambda x, t: network(x, t).sample, scheduler)


def unet_flow(folder: Path) -> Case:
    network, scheduler = save_ddpm(folder, small_unet()), FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.save_pretrained(folder / "scheduler")
    scheduler.set_timesteps(STEPS)
    return Case(lambda x, t: network(x, t).sample, scheduler)


def unet_vq(folder: Path) -> Case:
    pipeline = save_ldm(folder, "vq")
    pipeline.scheduler.set_timesteps(STEPS)
    return Case(
        lambda x, t: pipeline.unet(x, t).sample,
        pipeline.scheduler,
        lambda z: pipeline.vqvae.decode(z / 0.7).sample,
        images=lambda g: pipeline(2, g, num_inference_steps=STEPS, output_type="np").images,
    )


def autoencoder(**more: Any) -> AutoencoderKL:
    """Of images of 16 pixels, with latents of 4 channels and 8 pixels."""
    torch.manual_seed(1)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=1.5,
        **more,
    ).eval()


def seen(network: Any) -> Any:
    """`network` with weights of a size that makes all of its inputs count."""
    torch.manual_seed(0)
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.2)
    return network.eval()


def dit(folder: Path) -> Case:
    network = seen(
        DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=2,
            sample_size=8,
            patch_size=2,
            num_embeds_ada_norm=5,
        )
    )
    vae, scheduler = autoencoder(), DDIMScheduler(clip_sample=False)
    pipeline = DiTPipeline(network, vae, scheduler)
    pipeline.save_pretrained(folder)
    scheduler.set_timesteps(STEPS)

    def ask(x: Tensor, t: Tensor) -> Tensor:
        labels = torch.full((len(x),), 3)
        return network(x, timestep=t.expand(len(x)), class_labels=labels).sample[:, :4]

    def images(g: torch.Generator) -> Any:
        return pipeline([3, 3], 1.0, g, num_inference_steps=STEPS, output_type="np").images

    return Case(ask, scheduler, lambda z: vae.decode(z / 1.5).sample, {"class_label": 3}, images)


def prompted(
    folder: Path,
    network: Any,
    scheduler: Any,
    shapes: dict[str, tuple[int, ...]],
    divisor: float = 1.0,
    **vae: Any,
) -> Case:
    """A network that is asked for a prompt, whose embedding comes from a file."""
    embedding = {name: torch.randn(shape, generator=seeded()) for name, shape in shapes.items()}
    save_file(embedding, folder / "prompt.safetensors")
    network.save_pretrained(folder / ("unet" if isinstance(network, UNet2DConditionModel) else "transformer"))
    scheduler.save_pretrained(folder / "scheduler")
    coder = autoencoder(**vae)
    coder.save_pretrained(folder / "vae")

    def ask(x: Tensor, t: Tensor) -> Tensor:
        whole = {name: value.expand(len(x), *value.shape[1:]) for name, value in embedding.items()}
        return network(x, timestep=(t / divisor).expand(len(x)), **whole).sample

    def decode(z: Tensor) -> Tensor:
        return coder.decode(z / 1.5 + (coder.config.shift_factor or 0)).sample

    return Case(ask, scheduler, decode, {"embedding": str(folder / "prompt.safetensors")})


def conditional_unet() -> Any:
    return seen(
        UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=8,
        )
    )


def sd_scheduler(**more: Any) -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        **more,
    )


def stable_diffusion(folder: Path) -> Case:
    scheduler = sd_scheduler(prediction_type="v_prediction")
    scheduler.set_timesteps(STEPS)
    return prompted(folder, conditional_unet(), scheduler, {"encoder_hidden_states": (1, 7, 16)})


def sd3_transformer() -> Any:
    return seen(
        SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=16,
            pooled_projection_dim=24,
            pos_embed_max_size=8,
        )
    )


SD3 = {"encoder_hidden_states": (1, 7, 32), "pooled_projections": (1, 24)}


def stable_diffusion_3(folder: Path) -> Case:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(STEPS)
    return prompted(folder, sd3_transformer(), scheduler, SD3, shift_factor=0.06)


def dynamic_shift(folder: Path) -> Case:
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    scheduler.set_timesteps(STEPS, mu=0.5 + (1.15 - 0.5) * (4 * 4 - 256) / (4096 - 256))
    return prompted(folder, sd3_transformer(), scheduler, SD3)


def aura_transformer() -> Any:
    return seen(
        AuraFlowTransformer2DModel(
            sample_size=8,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=16,
            caption_projection_dim=16,
            pos_embed_max_size=16,
        )
    )


def aura_flow(folder: Path) -> Case:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.73)
    scheduler.set_timesteps(STEPS)
    return prompted(folder, aura_transformer(), scheduler, {"encoder_hidden_states": (1, 7, 16)}, 1000.0)


FAMILIES = [
    unet,
    unet_edm,
    unet_flow,
    unet_vq,
    dit,
    stable_diffusion,
    stable_diffusion_3,
    dynamic_shift,
    aura_flow,
]


def levels_of(model: FrozenModel, scheduler: Any) -> list[float]:
    """Where a scheduler of diffusers stops, as levels from the top down."""
    if hasattr(scheduler, "sigmas"):
        sigmas = scheduler.sigmas[:-1].double().tolist()
        flow = isinstance(scheduler, FlowMatchEulerDiscreteScheduler)
        lams = [math.log((1 - s if flow else 1) / s) if s != 1 or not flow else -math.inf for s in sigmas]
        return [*(model.schedule.level(lam) if lam > -math.inf else 1000.0 for lam in lams), 0.0]
    last = 0.0 if scheduler.config.set_alpha_to_one else 1.0
    return [*(float(t) + 1 for t in scheduler.timesteps), last]


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest, as a share of the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def test_the_page_lists_every_family() -> None:
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| ([\d.]+e-\d+) \| `((?!test_)\w+)` \|\n", page)
    listed = {case: float(most) for most, case in rows}
    assert [*listed] == [family.__name__ for family in FAMILIES]
    assert max(listed.values()) < LIMIT


@torch.inference_mode()
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_denoising_is_diffusers(family: Callable[[Path], Case], tmp_path: Path) -> None:
    case = family(tmp_path)
    model = load_diffusers(str(tmp_path), **case.settings)
    scheduler, noise = case.scheduler, same_noise(2, model.state_shape)
    levels = levels_of(model, scheduler)
    told = [model.network_input(noise, t)[1] for t in levels[:-1]]
    assert told == pytest.approx(scheduler.timesteps.tolist(), rel=1e-5)
    start = noise * scheduler.init_noise_sigma if hasattr(scheduler, "init_noise_sigma") else noise
    ours = integrate(model.eps, start, model.schedule, levels, DDIM(), clean=model.clean)
    x = start
    for timestep in scheduler.timesteps:
        shown = scheduler.scale_model_input(x, timestep) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(case.ask(shown, timestep), timestep, x).prev_sample
    images = model.decode(ours)
    found = {"latents": difference(ours, x), "images": difference(images, case.decode(x))}
    found["decoder"] = difference(model.decode(x), case.decode(x))
    if case.images is not None:
        whole = torch.from_numpy(case.images(seeded())).permute(0, 3, 1, 2)
        found["pipeline"] = difference((images / 2 + 0.5).clamp(0, 1), whole)
    assert max(found.values()) < LIMIT, found


@pytest.mark.slow
@pytest.mark.parametrize("family", [unet, unet_edm, stable_diffusion_3], ids=lambda family: family.__name__)
def test_inversion_comes_back(family: Callable[[Path], Case], tmp_path: Path) -> None:
    """In float64, with a network that was trained for a second: of random weights it would prove nothing. A
    variance-preserving, a variance-exploding and a flow path."""
    model = load_diffusers(str(tmp_path), **family(tmp_path).settings)
    schedule, network = model.schedule, model.network

    def eps(x: Tensor, t: float) -> Tensor:
        return model.to_eps(model.output(network, x, max(t, 1.0), "fp32"), x, max(t, 1.0))

    def ramps(n: int) -> Tensor:
        offset, slope = torch.randn(2, n, model.state_shape[0], 1, 1, generator=g)
        return 0.5 * offset + 0.5 * slope * torch.linspace(-1, 1, 8).expand(8, 8)

    g, optimiser = seeded(), torch.optim.Adam(network.requires_grad_(True).parameters(), 3e-3)
    for _ in range(40):
        x0, t = ramps(16), 1 + 999 * float(torch.rand((), generator=g))
        noise = torch.randn(x0.shape, generator=g)
        loss = (eps(schedule.alpha(t) * x0 + schedule.sigma(t) * noise, t) - noise).square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.requires_grad_(False).double()
    x0, errors = ramps(2).double(), []
    for steps in (8, 32):
        levels = uniform_lambda(schedule, 900.0, steps)
        z = integrate(eps, x0, schedule, levels, DPMpp2M())
        errors.append(
            float((integrate(eps, z, schedule, levels[::-1], DPMpp2M()) - x0).square().mean().sqrt())
        )
    assert errors[1] < 0.05 and errors[1] < errors[0] / 5
