r"""The density of images under the probability-flow ODE (Song et al. 2021, score SDE, appendix D.2).

With :math:`u = x/\alpha` and :math:`s = \sigma/\alpha` the ODE reads
:math:`\mathrm{d}u/\mathrm{d}s = \varepsilon`, along which :math:`\ln p(u)` falls by
:math:`\alpha\,\mathrm{tr}\,J` per unit of s, with the Jacobian :math:`J = \partial\varepsilon/\partial x`:

.. math::
    \ln p(x_0) = \ln p_T(x_T) + d\ln\alpha_T
        + \int_{\lambda_T}^{\lambda_1} \sigma\,\mathrm{tr}\,J\,\mathrm{d}\lambda

The trace is estimated by Hutchinson's :math:`v^\top J v` with random signs v, new ones at every level, so
that their errors average out along the trajectory.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ood_diffusion.checks import require
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.diffusion.solver import EpsFunction, Solver
from ood_diffusion.lightning.data import Batch
from ood_diffusion.lightning.trajectory import Trajectory, inverting, to_device
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import to_unit_range
from ood_diffusion.seeding import generator

STATE, SLOPE, CURVATURE, TRACES = 0, 1, 2, 3
"""Rows of what `Density` returns; those of the traces are the last ones, one per probe."""


class Density(Trajectory):
    """Images to what their log-density and DiffPath's statistics are sums of.

    Args:
        model: the frozen model, of images rather than an autoencoder's latents.
        solver: the numerical method of the states.
        levels: ascending; at the first one the image itself, not noised, is the state divided by alpha.
        probes: vectors of random signs per level.
        seed: with an item's id it determines the item's probes, and where in a byte its values lie.
    """

    version = 1
    """Of the rows: raised whenever numbers change (`source.identity`)."""

    def __init__(
        self, model: FrozenModel, solver: Solver, levels: Sequence[float], probes: int, seed: int
    ) -> None:
        super().__init__(model, solver, levels)
        self.probes, self.seed = probes, seed

    def rows(self, batch: Batch) -> Tensor:
        """``batch["data"]``: images ``[B, C, H, W]``, bytes or fields.

        Returns:
            float32 ``[B, 3 + probes, len(levels)]``, means over the d values of an image, level by level: of
            the square of the state (divided by the schedule's spread), of the square of eps, of the square of
            its change since the level before, and of each probe's part of sigma times the trace.
        """
        data, schedule, eps = batch["data"], self.model.schedule, inverting(self.model)
        ids = batch["ids"] + batch["ids"][-1:] * (len(data) - len(batch["ids"]))
        streams = [generator(self.seed, "density", i) for i in ids]
        columns: list[Tensor] = []
        slopes: list[Tensor] = []
        upward = iter(self.levels)

        def measure(state: Tensor) -> None:
            t = next(upward)
            vectors = [signs(streams, state) for _ in range(self.probes)]
            slope, products = divergence(eps, state, t, vectors)
            self.model.network_calls += self.probes * len(state)
            change = slope - slopes.pop() if slopes else torch.zeros_like(slope)
            slopes.append(slope)
            squares = [mean(each.square()) for each in (state / schedule.spread(t), slope, change)]
            traces = [schedule.sigma(t) * mean(each) for each in products]
            columns.append(torch.stack([*squares, *traces], dim=1))

        x = schedule.alpha(self.levels[0]) * to_unit_range(dequantised(data, streams))
        measure(x)
        self._integrate(eps, batch, x, self.levels, visit=measure)
        return torch.stack(columns, dim=2)


def divergence(
    eps: EpsFunction, x: Tensor, t: float, probes: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The noise estimate, and of each probe v its product with the vector-Jacobian product: v * (v J).

    Each takes about twice the time of a network call. Only `x` has a gradient, and what is returned has none.

    Raises:
        UserError: if nothing of `x` reaches the output with its gradient.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        at = x.clone().requires_grad_()
        found = eps(at, t)
        require(
            found.requires_grad,
            "a likelihood needs the network's derivative with respect to the image",
            "an output that was computed without gradients",
            "Remove torch.no_grad, inference_mode or detach from the network's forward.",
        )
        vectors = [probe.clone() for probe in probes]
        products = [v * torch.autograd.grad(found, at, v, retain_graph=True)[0] for v in vectors]
    return found.detach(), products


def signs(streams: Sequence[Generator], like: Tensor) -> Tensor:
    """-1 or 1 with equal probability, shaped as `like`, row i from stream i."""
    bits = torch.stack([torch.randint(2, like.shape[1:], generator=g) for g in streams])
    return to_device((2 * bits - 1).to(like.dtype), like.device)


def dequantised(images: Tensor, streams: Sequence[Generator]) -> Tensor:
    """Bytes as real numbers spread evenly over what is rounded to them; fields stay as they are."""
    if images.is_floating_point():
        return images
    within = torch.stack([torch.rand(images.shape[1:], generator=g) for g in streams])
    return (images + to_device(within - 0.5, images.device)) / 127.5 - 1


def mean(values: Tensor) -> Tensor:
    """Of each row of ``[B, …]``: ``[B]``."""
    return values.flatten(1).mean(dim=1)


def bits_per_value(rows: Tensor, schedule: Schedule, levels: Sequence[float], bytes_: bool) -> Tensor:
    r""":math:`-\log_2 p` per value: of bytes, or of fields in units of half their range.

    The density at the last level is that of standard normal noise times the schedule's spread there. The
    integral is the trapezoidal rule's. For bytes, which `dequantised` spreads, the mean is what a lossless
    code built on the model needs at most (Theis et al. 2016), as far as the integral is exact.

    Args:
        rows: of `Density`, ``[n, 3 + probes, len(levels)]``.
        schedule: of the trajectory.
        levels: likewise.
        bytes_: whether the images were bytes, which are 1 / 127.5 apart in [-1, 1].

    Returns:
        float64 ``[n, probes]``.
    """
    rows, top = rows.double(), levels[-1]
    falling = torch.tensor([-schedule.lam(t) for t in levels], dtype=torch.float64)
    normal = -0.5 * (math.log(2 * math.pi) + rows[:, STATE, -1]) - math.log(schedule.spread(top))
    volume = torch.trapezoid(rows[:, TRACES:], falling, dim=2)
    nats = normal[:, None] + math.log(schedule.alpha(top)) + volume
    return -nats / math.log(2) + (math.log2(127.5) if bytes_ else 0.0)
