"""What several benchmarks need: the embedded model and images to push through it."""

from functools import cache

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.heun import Heun
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import to_bytes, to_unit_range
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.seeding import generator, normal


def embedded_model() -> FrozenModel:
    """The embedded model, as the default configuration builds it; a new object every time."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        model: FrozenModel = build(compose("config").model)
    return model


def simulated(domain: str, n: int) -> Tensor:
    """The first `n` references of a simulated domain, uint8 ``[n, 3, 64, 64]``."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        part = build(compose("config", [f"domain={domain}"]).domain, image_size=64)
    return torch.stack([part.render("references", i) for i in range(n)])


@cache
def in_domain(n: int) -> Tensor:
    """Images of the model's own domain, uint8: self-generated, Heun, 20 λ-uniform steps from level 1000."""
    model = embedded_model()
    z = normal([generator(0, "in_domain", i) for i in range(n)], model.image_shape)
    levels = uniform_lambda(model.schedule, 1000, 20)
    with torch.inference_mode():
        return to_bytes(integrate(model.eps, z, model.schedule, levels[::-1], Heun()))


def test_images(n: int) -> dict[str, Tensor]:
    """`n` images in float32 [-1, 1] of the model's own and of two unseen domains."""
    return {
        "in domain (self-generated)": to_unit_range(in_domain(n)),
        "galaxies_sim": to_unit_range(simulated("galaxies_sim", n)),
        "radiation_sim": to_unit_range(simulated("radiation_sim", n)),
    }


def psnr(a: Tensor, b: Tensor) -> float:
    """Mean PSNR in dB of 8-bit versions of images in [-1, 1]."""
    error = (to_bytes(a).double() - to_bytes(b).double()).square().flatten(1).mean(dim=1)
    return float((10 * (255**2 / error.clamp_min(1e-9)).log10()).mean())


def relative_error(a: Tensor, b: Tensor) -> float:
    """Root-mean-square difference over the root-mean-square of `b`."""
    return float((a - b).square().mean().sqrt() / b.square().mean().sqrt())
