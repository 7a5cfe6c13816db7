"""`Inverter` and `Generator`: a frozen model walked along its trajectory by `Trainer.predict`."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.solver import EpsFunction, History, Solver
from ood_diffusion.lightning.data import Batch
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import as_stored, finite_rows, require_finite, to_unit_range
from ood_diffusion.seeding import generator, normal

EXACT_BELOW = 20.0
"""Below this level an inversion computes in fp32 whatever the precision: it multiplies the errors made near
the clean image. Latents of cats-64 at level 1000, bf16: 0.8 % off with it, up to 4 % without."""


def inverting(model: FrozenModel) -> EpsFunction:
    """The model's noise estimate, exact where an inversion needs it."""
    return lambda x, t: model.eps(x, t, exact=t < EXACT_BELOW)


class Trajectory(Predictor):
    """What both directions share.

    Args:
        model: the frozen model.
        solver: the numerical method.
        levels: the grid, ascending from 0 to the level of the latents.
    """

    networks: tuple[FrozenModel]
    looking = False
    """Whether every state must be finite (`debug=nan`); the results of a batch must be in any case."""

    def __init__(self, model: FrozenModel, solver: Solver, levels: Sequence[float]) -> None:
        super().__init__()
        self.networks = (model,)
        self.solver, self.levels = solver, list(levels)

    @property
    def model(self) -> FrozenModel:
        """The frozen model."""
        return self.networks[0]

    def calls_counter(self) -> Callable[[], int]:
        """Those of the model."""
        return lambda: self.model.network_calls

    def count_calls(self, calls: int) -> None:
        """To those of the model."""
        self.model.network_calls += calls

    def _integrate(
        self,
        eps: EpsFunction,
        batch: Batch,
        x: Tensor,
        levels: Sequence[float],
        visit: Callable[[Tensor], None] = lambda x: None,
        **noise: Any,
    ) -> Tensor:
        images, steps, history = len(batch["ids"]), len(levels) - 1, History()
        share, reached = images / steps, itertools.count(1)
        self._look(f"what enters level {levels[0]:g}", batch, x)

        def on_step(state: Tensor) -> None:
            step = next(reached)
            a, b = levels[step - 1 : step + 1]
            self._look(f"the states after step {step} of {steps}, from level {a:g} to {b:g},", batch, state)
            visit(state)
            self.advance(share)

        x = integrate(
            eps,
            x,
            self.model.schedule,
            levels,
            self.solver,
            on_step=on_step,
            history=history,
            clean=self.model.clean,
            **noise,
        )
        self.convergence += history.convergence(images)
        return x

    def _look(self, what: str, batch: Batch, x: Tensor) -> None:
        if self.looking:
            ids = batch["ids"]
            require_finite(f"{self.description}: {what}", ids, finite_rows(x[: len(ids)]))


class Inverter(Trajectory):
    """Images to latents, deterministically."""

    def rows(self, batch: Batch) -> Tensor:
        """``batch["data"]``: images ``[B, C, H, W]`` -> latents at the last level, float32
        ``[B, *state_shape]``, with as many channels more as the solver's noise maps have."""
        x = self.model.encode(to_unit_range(batch["data"]))
        if not self.solver.noise_maps:
            return self._integrate(inverting(self.model), batch, x, self.levels)
        streams = streams_of(self.solver.seed, batch)
        return self._integrate(
            self.model.eps,  # in the arithmetic of denoising, whose errors are in the maps
            batch,
            x,
            self.levels,
            draw_noise=lambda: to_device(normal(streams, x.shape[1:]), x.device),
        )


class StatesInverter(Trajectory):
    """Images to the states that they pass through on the way up.

    Args:
        model: the frozen model.
        solver: the numerical method.
        levels: the grid, ascending from 0.
        kept: indices into `levels`, ascending, each at least 1: the states that are returned.
    """

    def __init__(
        self, model: FrozenModel, solver: Solver, levels: Sequence[float], kept: Sequence[int]
    ) -> None:
        super().__init__(model, solver, levels)
        self.kept = set(kept)

    def rows(self, batch: Batch) -> Tensor:
        """``batch["data"]``: images ``[B, C, H, W]`` -> states, float32 ``[B, len(kept), *state_shape]``."""
        states: list[Tensor] = []
        reached = itertools.count(1)

        def keep(state: Tensor) -> None:
            if next(reached) in self.kept:
                states.append(state)

        x = self.model.encode(to_unit_range(batch["data"]))
        self._integrate(inverting(self.model), batch, x, self.levels, visit=keep)
        return torch.stack(states, dim=1)


class Generator(Trajectory):
    """Latents to images.

    Args:
        model: the frozen model.
        solver: the numerical method.
        levels: the grid, ascending; it is walked downwards.
        eta: 0 deterministic … 1 ancestral.
        seed: with an item's id it determines that item's noise.
        dtype: of the images: uint8, or float32 for fields.
    """

    def __init__(
        self,
        model: FrozenModel,
        solver: Solver,
        levels: Sequence[float],
        eta: float,
        seed: int,
        dtype: torch.dtype = torch.uint8,
    ) -> None:
        super().__init__(model, solver, levels)
        self.eta, self.seed, self.dtype_stored = eta, seed, dtype

    def rows(self, batch: Batch) -> Tensor:
        """``batch["data"]``: latents as `Inverter` makes them, float32 -> images ``[B, C, H, W]``."""
        z = batch["data"]
        streams = streams_of(self.seed, batch)
        steps = len(self.levels) - 1 if self.eta and not self.solver.noise_maps else 0
        with drawn_ahead(lambda: pinned(normal(streams, z.shape[1:]), z.device), steps) as noise:
            x = self._integrate(
                self.model.eps,
                batch,
                z,
                self.levels[::-1],
                eta=self.eta,
                draw_noise=lambda: to_device(noise(), z.device),
            )
        images = self.model.decode(x)
        self._look("the decoded images", batch, images)
        self.finite = finite_rows(x, images)
        return as_stored(images, self.dtype_stored)

    def images(self, batch: Batch) -> Tensor:
        """`predict_step` to the end, outside a loop, where the model is: images on the CPU, if they come from
        finite numbers."""
        images = self.predict_step(batch).cpu()
        if self.finite is not None:
            require_finite("images", batch["ids"], self.finite)
        return images


def streams_of(seed: int, batch: Batch) -> list[torch.Generator]:
    """Of the noise of each row; a row that only fills the batch has that of the last item."""
    ids = batch["ids"] + batch["ids"][-1:] * (len(batch["data"]) - len(batch["ids"]))
    return [generator(seed, "noise", i) for i in ids]


@contextmanager
def drawn_ahead(draw: Callable[[], Tensor], times: int) -> Iterator[Callable[[], Tensor]]:
    """What returns what `draw` returns, up to `times` times, each drawn by a thread while the one before is
    in use: noise for a batch at 256² takes a CPU twice as long as a GPU takes for a step.
    """
    with ThreadPoolExecutor(1, "noise") as thread:
        left = itertools.repeat(draw, times)
        following = deque(thread.submit(each) for each in itertools.islice(left, 1))

        def drawn() -> Tensor:
            found = following.popleft().result()
            following.extend(thread.submit(each) for each in itertools.islice(left, 1))
            return found

        yield drawn


def pinned(noise: Tensor, device: torch.device) -> Tensor:
    """Where a GPU can copy it from while it computes; PyTorch uses that memory again after the copy."""
    return noise.pin_memory() if device.type == "cuda" else noise


def to_device(noise: Tensor, device: torch.device) -> Tensor:
    """Noise drawn on the CPU, queued for the device; nothing waits for the copy."""
    return pinned(noise, device).to(device, non_blocking=True)
