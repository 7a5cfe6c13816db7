"""What can be found wrong with a cell before any compute is spent."""

from ood_diffusion.checks import require
from ood_diffusion.diffusion.prediction import TO_EPS
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.settings import module_of
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.selection import Selection

FEATURELESS = {"inspect", "train", "invert", "reconstruct", "sample"}
"""Stages that do without the feature extractor, whose weights may be missing."""
DRAWING = {"sample", "interference", "few_shot", "preservation", "physics"}
"""Stages that draw new latents."""
JUDGING = {"evaluate", "interference", "few_shot"}
"""Stages that judge images by the metrics."""

Learner = Prior | Sampler | Selection
"""A part that needs a number of references."""


def check(cell: Cell, stages: list[str]) -> None:
    """Raise `UserError` for what would only fail after compute has been spent.

    A stage X with settings has its own check, if any, as ``check_X`` in its file.
    """
    settings = cell.settings
    for level in levels_of(cell):
        grid = cell.at(level=level).levels
        require(len(grid) >= 2, "the grid needs at least two levels", grid, "Raise steps.")
    available = cell.domain.size("references")
    require(
        available is None or settings.n_references <= available,
        f"n_references must be at most the {available} reference images of domain={cell.names['domain']}",
        settings.n_references,
        f"Set n_references={available} or bring more images.",
    )
    if "train" in stages:
        check_trainable(cell, "the stage train")
    band = cell.stage_settings.get("bandwidth")
    if {*stages, *cell.stage_settings} - FEATURELESS - {"report"}:
        _ = cell.extractor
    for stage in cell.stage_settings:
        getattr(module_of(stage), f"check_{stage}", lambda cell: None)(cell)
    if DRAWING & set(stages) or (band and band.check_levels):
        check_learners(cell)
    if JUDGING & set(stages):
        check_judges(cell)


def levels_of(cell: Cell) -> list[float]:
    """Where trajectories of this run may end: at the cell's level and at those of the stage `bandwidth`."""
    own = [] if isinstance(cell.settings.level, str) else [cell.settings.level]
    band = cell.stage_settings.get("bandwidth")
    return own if band is None else [*own, *band.levels, *band.check_levels]


def check_trainable(cell: Cell, what: str) -> None:
    """Raise `UserError` unless `what` can train such a network in such a way."""
    model = cell.model
    require(
        model.prediction_type in TO_EPS and model.state_shape == model.image_shape,
        f"{what} needs a network that predicts epsilon, v or the image, in pixels",
        f"model={cell.names['model']}",
        "Train it with the code of its authors.",
    )
    size = cell.ranks.size
    require(size == 1, f"{what} runs on one device", size, "Set trainer.devices=1.")


def check_learners(cell: Cell) -> None:
    """Raise `UserError` unless prior, sampler and selection have the references they need."""
    for group, part in (("prior", cell.prior), ("sampler", cell.sampler), ("selection", cell.selection)):
        check_learner(group, cell.names[group], part, cell.settings.n_references)


def check_learner(group: str, name: str, part: Learner, n_references: int) -> None:
    """Raise `UserError` unless the part of that group and name can learn from so many references."""
    require(
        n_references >= part.min_references,
        f"{group}={name} needs at least {part.min_references} references",
        n_references,
        f"Raise n_references or change {group}.",
    )


def check_judges(cell: Cell) -> None:
    """Raise `UserError` unless the extractor can be built and every metric has the images it needs."""
    _ = cell.extractor
    judges = cell.domain.size("held_out")
    counts = {
        "n_samples": cell.settings.n_samples,
        "n_references": cell.settings.n_references,
        "n_held_out": cell.settings.n_held_out if judges is None else min(judges, cell.settings.n_held_out),
    }
    for name, make in cell.make_metrics.items():
        least = make().min_images
        for count, images in counts.items():
            require(
                images >= least,
                f"metric={name} needs {count} to be at least {least}",
                images,
                "Bring more images or leave out the stage evaluate.",
            )
