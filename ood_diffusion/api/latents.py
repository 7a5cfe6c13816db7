"""Images to latents and back, along one trajectory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.api.composed import Values
from ood_diffusion.api.images import check_images, described
from ood_diffusion.api.session import kept, opened, whole
from ood_diffusion.checks import require
from ood_diffusion.diffusion.grids import Grid
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.invert import invert_images


@dataclass(frozen=True, eq=False)
class Latents:
    """Latents, and the trajectory to whose level they belong: `generate` walks it back.

    ``latents[:8]`` and ``latents[[0, 2]]`` are some of them, ``latents[3]`` is one, and
    ``dataclasses.replace(latents, values=z)`` are others at
    the same level.

    Args:
        values: float32 ``[n, C, H, W]``, on the CPU.
        level: level t of the latents.
        steps: solver steps each way.
        solver: the numerical method.
        grid: where it stops on the way.
        model: what determines the model (`FrozenModel.recipe`); no other decodes them.
        dtype: of the images that they were made of and become: uint8, or float32 for fields.
        spread: `Schedule.spread` at the level; `draw` learns from values divided by it.

    Examples:
        >>> from ood_diffusion import invert, load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, _ = load_domain("galaxies_sim", model, n_references=2, n_held_out=1)
        >>> bank = invert(model, references, level=600, steps=1)
        >>> bank[0]
        Latents([1, 3, 64, 64], level=600, steps=1, solver=dpmpp_2m)
    """

    values: Tensor
    level: float
    steps: int
    solver: Solver
    grid: Grid
    model: Mapping[str, Any]
    dtype: torch.dtype = torch.uint8
    spread: float = 1.0

    def __repr__(self) -> str:
        shape, at = list(self.values.shape), f"level={self.level:g}, steps={self.steps}"
        return f"Latents({shape}, {at}, solver={self.solver.name})"

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: int | slice | Sequence[int] | Tensor) -> "Latents":
        values = self.values[rows]
        return replace(self, values=values if values.ndim == self.values.ndim else values[None])


@whole
def invert(
    model: FrozenModel,
    references: Tensor,
    *,
    level: float | None = None,
    steps: int | None = None,
    solver: str | Solver | None = None,
    grid: str | Grid | None = None,
    batch_size: int | str | None = None,
    store: str | Path | None = None,
    settings: Values | None = None,
) -> Latents:
    """Carry images along the deterministic trajectory to their latents.

    Whatever is None is what the command takes (`conf/config.yaml`).

    Args:
        model: the frozen model.
        references: of the model's shape ``[n, C, H, W]``: uint8, or float32 fields in [-1, 1].
        level: level t of the latents, 1 < level <= T.
        steps: solver steps.
        solver: a name in ``conf/solver``, or a solver.
        grid: a name in ``conf/grid``, or a grid.
        batch_size: images per network call, or "auto".
        store: a folder in which latents are kept and looked for, like the command's ``outputs/store``;
            None: nowhere.
        settings: more, by their names in `conf/`: ``{"solver.tolerance": 1e-6}``.

    Returns:
        The bank: one latent per image, in order.

    Raises:
        UserError: for images or settings that cannot work, or if the network diverges.

    Examples:
        >>> from ood_diffusion import invert, load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, _ = load_domain("galaxies_sim", model, n_references=2, n_held_out=1)
        >>> len(invert(model, references, level=600, steps=1))
        2
    """
    with opened(
        model,
        store,
        settings,
        level=level,
        steps=steps,
        solver=solver,
        grid=grid,
        batch_size=batch_size,
    ) as run:
        check_images("references", references, model.image_shape)
        images, ids = kept(run.workspace.folder, "references", references)
        invert_images(run, images, dict(zip(ids, ids, strict=True)))
        spread = model.schedule.spread(run.levels[-1])
        return Latents(run.bank.read(ids), *_trajectory(run), model.recipe(), references.dtype, spread)


@whole
def generate(
    model: FrozenModel,
    latents: Latents,
    *,
    eta: float | None = None,
    seed: int | None = None,
    batch_size: int | str | None = None,
    store: str | Path | None = None,
    settings: Values | None = None,
) -> Tensor:
    """Denoise latents to images, down the trajectory on which they were inverted.

    Args:
        model: the frozen model that inverted them.
        latents: from `draw`, or the bank itself (which gives the reconstructions).
        eta: share of fresh noise, 0 (deterministic) … 1 (ancestral).
        seed: with a latent's values it determines its noise.
        batch_size: images per network call, or "auto".
        store: a folder in which images are kept and looked for; None: nowhere.
        settings: more, by their names in `conf/`.

    Returns:
        Images ``[n, C, H, W]``, in order: of the dtype of those that were inverted.

    Raises:
        UserError: for latents of another model or shape, or settings that cannot work.

    Examples:
        The bank itself gives the reconstructions; one step is far too few for good ones.

        >>> from ood_diffusion import generate, invert, load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, _ = load_domain("galaxies_sim", model, n_references=2, n_held_out=1)
        >>> generate(model, invert(model, references, level=600, steps=1)).shape
        torch.Size([2, 3, 64, 64])
    """
    require(
        isinstance(latents, Latents),
        "latents must be Latents, which include their level",
        type(latents).__name__,
        "Convert a tensor z with dataclasses.replace(bank, values=z).",
    )
    with opened(
        model,
        store,
        settings,
        level=latents.level,
        steps=latents.steps,
        solver=latents.solver,
        grid=latents.grid,
        eta=eta,
        seed=seed,
        batch_size=batch_size,
    ) as opened_run:
        run = opened_run.at(dtype=latents.dtype)
        channels, *sides = model.state_shape
        maps = len(run.levels) - 1 if run.solver.noise_maps else 0
        _check_values(latents.values, ((1 + maps) * channels, *sides))
        require(
            dict(latents.model) == model.recipe(),
            "latents must be decoded by the model that inverted them",
            "another model or other weights",
            "Invert the references with this model.",
        )
        source, ids = kept(run.workspace.folder, "latents", latents.values)
        images, targets = decode(run, source, ids, "generate")
        return images.read(targets)


def _trajectory(run: Run) -> tuple[float, int, Solver, Grid]:
    return run.levels[-1], run.settings.steps, run.solver, run.grid


def _check_values(values: Tensor, shape: tuple[int, ...]) -> None:
    require(
        values.dtype == torch.float32 and values.shape[1:] == shape and len(values) >= 1,
        f"latents.values must be float32 [n, {', '.join(map(str, shape))}] with n >= 1",
        f"{values.dtype} {list(values.shape)}",
        "Take them from invert or draw.",
    )
    require(
        bool(torch.isfinite(values).all()),
        "latents.values must be finite",
        described(values),
        "Remove those that are NaN or infinite.",
    )
