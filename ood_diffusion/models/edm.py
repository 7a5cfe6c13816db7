r"""Networks that are evaluated at a noise scale :math:`\sigma` (Karras et al. 2022, "EDM").

A noisy image is :math:`x_0 + \sigma\varepsilon`, the state of a variance-exploding schedule; on any other it
is :math:`x/\alpha` with :math:`\sigma = s`.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ood_diffusion.checks import require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.diffusers_condition import Condition
from ood_diffusion.models.diffusers_folder import find_folder, read_json
from ood_diffusion.models.diffusers_network import read_network
from ood_diffusion.models.diffusers_scheduler import EDM, scheduler_config


class EDMModel(FrozenModel):
    r"""A network F with EDM's preconditioning (their eq. 7 and table 1):
    :math:`D(x;\sigma) = c_{skip}\,x + c_{out}\,F(c_{in}\,x;\, \tfrac14\ln\sigma)` estimates the clean image.

    Args:
        network: F; maps ``(x [B, C, H, W], c_noise [])`` to an output shaped like x.
        schedule: which sigma each level has: its `s`.
        image_shape: (C, H, W).
        sigma_data: the standard deviation of the training images that F was scaled for.
        recipe: see `FrozenModel`.
    """

    version = 2
    prediction_types = ("edm",)

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        image_shape: tuple[int, int, int],
        sigma_data: float,
        recipe: Mapping[str, Any],
    ) -> None:
        require(sigma_data > 0, "model.sigma_data must be positive", sigma_data, "EDM's value is 0.5.")
        super().__init__(network, schedule, image_shape, "edm", {**recipe, "sigma_data": sigma_data})
        self.sigma_data = sigma_data

    def network_input(self, x: Tensor, t: float) -> tuple[Tensor, float]:
        r""":math:`c_{in}` times the state in EDM's units, and :math:`c_{noise}`."""
        s = self.schedule.s(t)
        c_in = 1 / math.hypot(s, self.sigma_data)
        return x * (c_in / self.schedule.alpha(t)), math.log(s) / 4

    def to_eps(self, output: Tensor, x: Tensor, t: float) -> Tensor:
        r""":math:`\varepsilon = (x/\alpha - D)/s`, with the two parts of D that cancel left out:
        :math:`1 - c_{skip} = \sigma^2/(\sigma^2+\sigma_{data}^2)`."""
        s, data = self.schedule.s(t), self.sigma_data
        total = math.hypot(s, data)
        return x * (s / total**2 / self.schedule.alpha(t)) - output * (data / total)

    def to_clean(self, output: Tensor, x: Tensor, t: float) -> Tensor:
        r""":math:`D`."""
        s, data = self.schedule.s(t), self.sigma_data
        total = math.hypot(s, data)
        return x * (data**2 / total**2 / self.schedule.alpha(t)) + output * (s * data / total)


def load_edm(
    path: str,
    schedule: Schedule,
    sigma_data: float,
    class_label: int | None = None,
    revision: str | None = None,
) -> FrozenModel:
    """An EDM-preconditioned network from a folder with its config and weights, whose scheduler, if there is
    one, is EDM's.

    Args:
        path: the folder (or hub id); its `unet/` if there is one.
        schedule: the noise levels, see `EDMModel`.
        sigma_data: see `EDMModel`.
        class_label: the class to ask a class-conditional network for.
        revision: of a hub id.

    Raises:
        UserError: if the folder or a file in it is missing, damaged or does not fit.
    """
    folder = find_folder(path, revision)
    where = scheduler_config(folder)
    kind = read_json(where).get("_class_name") if where.is_file() else EDM[0]
    require(
        kind in EDM,
        f"model=edm needs a network with EDM's preconditioning, and {where} must say so ({' or '.join(EDM)})",
        kind,
        "Use model=diffusers, which reads the schedule there.",
    )
    network, recipe, shape, _ = read_network(folder, None, Condition(class_label))
    return EDMModel(network, schedule, shape, sigma_data, recipe)
