r"""The contract of a frozen model: :math:`\varepsilon(x, t)`, a schedule, a shape, a digest.

Foreign networks are adapted once, here at the border; no loop ever asks what a network predicts, at
which noise scale it was trained, or whether its states are images or an autoencoder's latents.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from ood_diffusion.checks import require, require_choice
from ood_diffusion.diffusion.prediction import TO_CLEAN, TO_EPS, Conversion
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.fingerprint import architecture, described, fingerprint, weights_digest
from ood_diffusion.precision import PRECISIONS, arithmetic, effective
from ood_diffusion.source import Recipe, identity, network_identity

log = logging.getLogger(__name__)

GRAPHS = 8
"""For how many shapes of a batch, times kinds of arithmetic, a network is compiled at most. That is PyTorch's
own ``recompile_limit``, past which it computes eagerly without a word."""
OURS = f"{__name__.partition('.')[0]}."


class FrozenModel(nn.Module):
    """A trained diffusion network that nothing here ever changes.

    A network with another border (a noise scale of its own, an autoencoder) is a subclass that overrides
    `network_input` and `to_eps`, or `state_shape`, `encode` and `decode`.

    Args:
        network: maps ``(x [B, C, H, W], timestep [])`` to an output shaped like x; put into eval mode
            with gradients off. The timestep is a float tensor, `Schedule.timestep`, fractions included.
        schedule: the noise schedule it was trained with.
        image_shape: (C, H, W) of its images, whose values lie in [-1, 1].
        prediction_type: what the output is, in diffusers' words: "epsilon", "v_prediction", "sample",
            "flow_prediction".
        recipe: what determines the network beside its weights and, for a class of the user's, the attributes
            of its modules (architecture, folding); JSON.

    Examples:
        The network that knows images of pure black, whose latents are nothing but noise:

        >>> import torch
        >>> from ood_diffusion import FrozenModel, Schedule
        >>> class Noise(torch.nn.Module):
        ...     def forward(self, x, timestep):
        ...         return x
        >>> model = FrozenModel(Noise(), Schedule.linear(), (3, 8, 8), "epsilon", {})
        >>> model.eps(torch.ones(2, 3, 8, 8), 600).shape
        torch.Size([2, 3, 8, 8])
    """

    version = 1
    """Of the results: raised whenever numbers change (`source.identity`)."""
    whole_timesteps = False
    """Whether the network takes integers only and is known to, so that nobody needs to be warned."""
    prediction_types: Collection[str] = TO_EPS
    """What the network's output may be."""

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        image_shape: tuple[int, int, int],
        prediction_type: str,
        recipe: Mapping[str, Any],
    ) -> None:
        super().__init__()
        require_choice("model.prediction_type", prediction_type, self.prediction_types)
        self.network = network.eval().requires_grad_(False)
        self.schedule, self.image_shape, self.prediction_type = schedule, image_shape, prediction_type
        self.network_calls = 0
        """Images passed through the network so far: the cost of everything."""
        self.trusted = type(network).__module__.startswith(OURS)
        """Whether the network is one of ours, or `probe` has found nothing wrong with it."""
        attributes = {} if self.trusted else {"attributes": architecture(network)}
        self._recipe = {**attributes, **recipe}
        self.factory: Mapping[str, Any] = {}
        """Whoever made it, by name, where that is not this package: see `source.identity`."""
        self.arguments: Any = None
        """What a configuration made it of, where that is not in `recipe`."""
        self.precision, self.compiled = "fp32", False
        self._compiled: Callable[..., Tensor] | None = None
        self._graphs: dict[tuple[torch.Size, str], bool] = {}
        """Shape of a batch and arithmetic -> whether the network is compiled for it."""

    def compute_in(self, precision: str, compile: bool) -> Self:
        """Choose how the network computes; x, coefficients and the returned eps stay float32.

        Args:
            precision: a key of `precision.PRECISIONS`.
            compile: let `torch.compile` fuse the network at its first call, for batches of one fixed
                shape; on a GPU it is then replayed as a CUDA graph. `GRAPHS` shapes and arithmetics at
                most are compiled, what comes after them is not.

        Raises:
            UserError: if `precision` is none of the choices.
        """
        require_choice("precision", precision, PRECISIONS)
        self.precision, self.compiled, self._compiled = precision, compile, None
        self._graphs.clear()
        return self

    def eps(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        """The noise estimate at level `t` (one level for the whole batch).

        Below level 1 the network is evaluated at level 1, the cleanest it was trained on.

        Args:
            x: float32 ``[B, C, H, W]``, on the model's device.
            t: level in ``[0, T]``.
            exact: compute in fp32 whatever the precision.

        Returns:
            float32 ``[B, C, H, W]``.
        """
        return self._estimate(self.to_eps, x, t, exact)

    def clean(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        """The estimate of the clean state, with the arguments of `eps`; used where alpha is 0.

        Raises:
            UserError: if alpha is 0 at `t` and the network predicts epsilon, which says nothing there.
        """
        require(
            self.schedule.alpha(t) > 0 or self.prediction_type != "epsilon",
            "a network that predicts epsilon needs some signal at the level that it starts from",
            f"none at {t:g}",
            f"Set level below {t:g}.",
        )
        return self._estimate(self.to_clean, x, t, exact)

    def _estimate(
        self, convert: Callable[[Tensor, Tensor, float], Tensor], x: Tensor, t: float, exact: bool
    ) -> Tensor:
        t = max(t, 1.0)
        self.network_calls += len(x)
        precision = "fp32" if exact else self.precision
        output = self.output(self._network(x, precision), x, t, precision)
        output = output.to(torch.float32, copy=True)  # a CUDA graph re-uses the memory of its output
        return convert(output, x, t)

    def output(self, network: Callable[..., Tensor], x: Tensor, t: float, precision: str) -> Tensor:
        """What `network` (this one's, compiled or not) says to the state `x` at level `t` >= 1."""
        shown, time = self.network_input(x, t)
        timestep = torch.full((), time, device=x.device)  # a fill: no transfer, no sync
        with arithmetic(precision, x.device.type):
            return network(shown.contiguous(memory_format=torch.channels_last), timestep)

    def network_input(self, x: Tensor, t: float) -> tuple[Tensor, float]:
        """What the network is shown for the state `x` at level `t` >= 1, and its time input."""
        return _divided(x, self.schedule.scale(t)), self.schedule.timestep(t)

    def to_eps(self, output: Tensor, x: Tensor, t: float) -> Tensor:
        """The network's float32 output for the state `x` at level `t` >= 1 as a noise estimate."""
        return self._convert(TO_EPS[self.prediction_type], output, x, t)

    def to_clean(self, output: Tensor, x: Tensor, t: float) -> Tensor:
        """The same output as an estimate of the clean state."""
        return self._convert(TO_CLEAN[self.prediction_type], output, x, t)

    def _convert(self, conversion: Conversion, output: Tensor, x: Tensor, t: float) -> Tensor:
        """In units of what the network is shown."""
        schedule, scale = self.schedule, self.schedule.scale(t)
        return conversion(output, _divided(x, scale), schedule.alpha(t) / scale, schedule.sigma(t) / scale)

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the states on the trajectory: of the images, unless there is an autoencoder."""
        return self.image_shape

    def encode(self, images: Tensor) -> Tensor:
        """Images, float32 ``[B, 3, H, W]`` in [-1, 1], to states at level 0, float32."""
        return images

    def decode(self, states: Tensor) -> Tensor:
        """States at level 0 to images, float32 ``[B, 3, H, W]``, not clipped to [-1, 1]."""
        return states

    def _network(self, x: Tensor, precision: str) -> Callable[..., Tensor]:
        if (
            not self.compiled or x.requires_grad
        ):  # who wants several products with one Jacobian gets none compiled
            return self.network
        if (graph := (x.shape, precision)) not in self._graphs:
            self._graphs[graph] = len(self._graphs) < GRAPHS
            if not self._graphs[graph]:
                shape = list(x.shape)
                log.warning("Not compiled for batches of %s in %s: %d others are", shape, precision, GRAPHS)
        if not self._graphs[graph]:
            return self.network
        if self._compiled is None:
            mode = "reduce-overhead" if x.is_cuda else "default"
            self._compiled = torch.compile(self.network.forward, dynamic=False, mode=mode)
        return self._compiled

    def digest(self) -> str:
        """Content hash of weights and buffers as they are now; equal before and after every run."""
        return weights_digest(tensors_of(self.network))

    def arithmetic_recipe(self, device: Callable[[], torch.device]) -> Recipe:
        """How the network computes on `device` (asked for only where it matters), for content addresses."""
        precision = effective(self.precision, device()) if self.precision == "tf32" else self.precision
        return {"precision": precision, "compile": self.compiled}

    def recipe(self) -> Recipe:
        """Everything that determines `eps`, for content addresses."""
        return {
            "weights": self.digest(),
            "schedule": fingerprint(self.schedule.recipe()),
            "prediction_type": self.prediction_type,
            "image_shape": list(self.image_shape),
            "code": [identity(type(self)), *network_identity(self.network), self.factory],
            "arguments": described(self.arguments),
            **self._recipe,
        }


def _divided(x: Tensor, scale: float) -> Tensor:
    return x if scale == 1.0 else x / scale


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Everything that a network computes with: its state dict, and the buffers that are not in it."""
    return {**network.state_dict(), **dict(network.named_buffers(remove_duplicate=False))}
