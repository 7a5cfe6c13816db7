"""A network of the user's own, as a `torch.nn.Module`."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError, require, require_choice
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import architecture
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.models.checkpoint import read_state
from ood_diffusion.models.conversion import require_same_entries
from ood_diffusion.models.probe import probe


class PerImageTimestep(nn.Module):
    """Hands the wrapped network one timestep per image, as most code expects it.

    Args:
        network: the wrapped one.
        whole: round timesteps to the nearest integer, int64. A level has one timestep on the way up and down.
    """

    def __init__(self, network: nn.Module, whole: bool = False) -> None:
        super().__init__()
        self.network, self.whole = network, whole

    def forward(self, x: Tensor, timestep: Tensor) -> Any:
        """`x`: ``[B, C, H, W]``; `timestep`: ``[]`` or ``[B]``."""
        return self.network(x, (timestep.round().long() if self.whole else timestep).expand(len(x)))


def load_torch_module(
    network: nn.Module,
    image_size: int | None,
    prediction_type: str,
    schedule: Schedule,
    weights: str | None = None,
    sha256: str | None = None,
    entry: str | None = None,
    shape: Sequence[int] | None = None,
    timesteps: str = "fractional",
) -> FrozenModel:
    """A frozen model from any module.

    Args:
        network: maps ``(x [B, C, H, W], timestep [B])`` to a tensor shaped like x; timesteps are float32,
            0 … T-1, fractions included. Its attributes count as they are now: wrap it again after a change.
        image_size: side of the images in pixels, if they are square RGB ones; None: `shape` is given.
        prediction_type: "epsilon", "v_prediction" or "sample".
        schedule: the noise schedule of the training.
        weights: its state dict; None: the module comes with its weights.
        sha256: see `checkpoint.read_state`.
        entry: see `checkpoint.read_state`.
        shape: (C, H, W) of the fields that it takes.
        timesteps: "fractional", or "integer" for a network that looks timesteps up in a table: they are
            rounded, int64 (what that costs: docs/solvers.md).

    Raises:
        UserError: if the module is none, not just one of `image_size` and `shape` is given, the weights do
            not fit, or `probe` finds something wrong.

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
    require(
        (image_size is None) != (shape is None),
        "of model.image_size and model.shape one must say what the network takes",
        {"image_size": image_size, "shape": shape},
        "For square RGB images set model.image_size=64, for others model.shape=[1,28,28].",
    )
    fits = field_shape([3, image_size, image_size] if shape is None else shape)
    require_choice("model.timesteps", timesteps, ("fractional", "integer"))
    whole = timesteps == "integer"
    recipe = {"module": type(network).__qualname__, "attributes": architecture(network)}
    recipe |= {"timesteps": timesteps} if whole else {}
    model = FrozenModel(PerImageTimestep(network, whole), schedule, fits, prediction_type, recipe)
    model.trusted, model.whole_timesteps = False, whole
    try:
        probe(model)
    except (RuntimeError, IndexError):  # a float where an index is wanted; a UserError is neither
        require(
            whole or not answers_integers(model, network),
            "model.network must take fractional timesteps, unless model.timesteps says integer",
            "one that fails with 10.5 and answers 10 as an integer",
            "Set model.timesteps=integer.",
        )
        raise
    return model


def answers_integers(model: FrozenModel, network: nn.Module) -> bool:
    """Whether the module answers whole timesteps given as integers."""
    x = torch.zeros(1, *model.state_shape, device=next(network.parameters(), torch.zeros(0)).device)
    try:
        with torch.no_grad():
            network(x, torch.full((1,), 10))
    except Exception:
        return False
    return True


def field_shape(shape: Sequence[object]) -> tuple[int, int, int]:
    """`shape` as (C, H, W), if it is three positive integers."""
    c, h, w = (list(shape) + [None] * 3)[:3]
    fits = len(shape) == 3 and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape)
    require(fits, "model.shape must be [C, H, W], positive integers", list(shape), "For example [1,28,28].")
    return cast(tuple[int, int, int], (c, h, w))
