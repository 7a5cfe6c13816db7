"""A network of the user's own, as a `torch.nn.Module`."""

from typing import Any

from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import architecture
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.models.conversion import require_same_entries
from ood_diffusion.models.probe import probe


class PerImageTimestep(nn.Module):
    """Hands the wrapped network one timestep per image, as most code expects it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, timestep: Tensor) -> Any:
        """`x`: ``[B, C, H, W]``; `timestep`: ``[]`` or ``[B]``."""
        return self.network(x, timestep.expand(len(x)))


def load_torch_module(
    network: nn.Module,
    image_size: int,
    prediction_type: str,
    schedule: Schedule,
    weights: str | None = None,
    sha256: str | None = None,
    entry: str | None = None,
) -> FrozenModel:
    """A frozen model from any module.

    Args:
        network: maps ``(x [B, 3, H, W], timestep [B])`` to a tensor shaped like x; timesteps are float32,
            0 … T-1, fractions included. Its attributes count as they are now: wrap it again after a change.
        image_size: side of the square RGB images in pixels.
        prediction_type: "epsilon", "v_prediction" or "sample".
        schedule: the noise schedule of the training.
        weights: its state dict; None: the module comes with its weights.
        sha256: see `checkpoint.read_state`.
        entry: see `checkpoint.read_state`.

    Raises:
        UserError: if the module is none, the weights do not fit, or `probe` finds something wrong.

    Examples:
        >>> import torch
        >>> from ood_diffusion import Schedule, load_torch_module
        >>> class Mine(torch.nn.Module):
        ...     def forward(self, x, timestep):
        ...         return x / (1 + timestep / 1000).view(-1, 1, 1, 1)
        >>> load_torch_module(Mine(), 16, "epsilon", Schedule.linear()).image_shape
        (3, 16, 16)
    """
    if not isinstance(network, nn.Module):
        raise UserError(
            f"model.network must be a torch.nn.Module, but got {type(network).__name__}. Name a class of "
            "modules, or a function that returns one, in model.network._target_."
        )
    if weights is not None:
        state = read_state(weights, sha256, entry)
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        require_same_entries(weights, shapes, state)
        network.load_state_dict(state)
    shape = (3, image_size, image_size)
    recipe = {"module": type(network).__qualname__, "attributes": architecture(network)}
    model = FrozenModel(PerImageTimestep(network), schedule, shape, prediction_type, recipe)
    model.trusted = False
    probe(model)
    return model
