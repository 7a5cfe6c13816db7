"""What can be found wrong with a run before any compute is spent."""

from collections.abc import Mapping, Sequence

import torch

from ood_diffusion.checks import require
from ood_diffusion.diffusion.prediction import TO_EPS
from ood_diffusion.domains.base import Split
from ood_diffusion.precision import check_precision
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.images import at_most
from ood_diffusion.runs.run import Run
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.selection import Selection

Learner = Prior | Sampler | Selection
"""A part that needs a number of references."""


def check(run: Run) -> None:
    """Raise `UserError` for what would only fail after compute has been spent."""
    settings, stages = run.settings, run.stages.values()
    if settings.precision == "fp16":  # else nobody need know the device yet
        check_precision(settings.precision, run.workspace.ranks.device.type)
    own = [] if isinstance(settings.level, str) else [settings.level]
    for level in [*own, *(level for stage in stages for level in stage.further_levels(run))]:
        grid = run.at(level=float(level)).levels
        require(len(grid) >= 2, "the grid needs at least two levels", grid, "Raise steps.")
    needs = {need for stage in stages for need in stage.needs}
    if "images" in needs:
        check_shapes(run)
    available = run.domain.size("references")
    require(
        available is None or settings.n_references <= available,
        f"n_references must be at most the {available} reference images of domain={run.names['domain']}",
        settings.n_references,
        f"Set n_references={available} or bring more images.",
    )
    if needs & {"features", "metrics"}:
        _ = run.extractor  # whose weights may be missing
        run.view(torch.zeros(1, *run.model.image_shape, dtype=run.dtype))  # which may not fit the channels
    for name, stage in run.stages.items():
        others = ",".join(each for each in run.stages if each != name)
        require(
            not (stage.photographs and run.view_recipe),
            f"the stage {name} needs RGB photographs (uint8, 3 channels)",
            f"{run.dtype} of shape {run.model.image_shape}",
            f"{stage.photographs} Leave it out: stages=[{others}].",
        )
        require(
            not ("states" in stage.needs and run.solver.noise_maps),
            f"the stage {name} needs latents that are states of the trajectory, without noise maps",
            f"solver={run.names['solver']}",
            "Choose another solver or leave the stage out; level=auto brings the stage bandwidth.",
        )
        stage.check(run)
    if "draws" in needs:
        check_learners(run)
    if "metrics" in needs:
        check_metrics(run)


def check_shapes(run: Run) -> None:
    """Raise `UserError` unless the domains' pictures have the shape of the model's images."""
    wanted, parts = run.model.image_shape, {"domain": run.domain, "training_domain": run.training_domain}
    for group, domain in parts.items():
        remedy = "This domain makes squares only: take one of files, which are cut and resized."
        if domain.channels != wanted[0]:
            remedy = (
                f"Set {group}.channels to grey, rgb or indices such as [0,2,3] where its YAML has that "
                "setting, or take another domain."
            )
        require(
            domain.shape == wanted,
            f"{group} must have the shape (C, H, W) that model={run.names['model']} takes, {wanted}",
            domain.shape,
            remedy,
        )


def check_trainable(run: Run, what: str) -> None:
    """Raise `UserError` unless `what` can train such a network in such a way."""
    model = run.model
    require(
        model.prediction_type in TO_EPS and model.state_shape == model.image_shape,
        f"{what} needs a network that predicts epsilon, v or the image, in pixels",
        f"model={run.names['model']}",
        "Train it with the code of its authors.",
    )
    size = run.workspace.ranks.size
    require(size == 1, f"{what} runs on one device", size, "Set trainer.devices=1.")


def check_learners(run: Run) -> None:
    """Raise `UserError` unless prior, sampler and selection have the references they need."""
    for group, part in (("prior", run.prior), ("sampler", run.sampler), ("selection", run.selection)):
        check_learner(group, run.names[group], part, run.settings.n_references)


def check_learner(group: str, name: str, part: Learner, n_references: int) -> None:
    """Raise `UserError` unless the part of that group and name can learn from so many references."""
    require(
        n_references >= part.min_references,
        f"{group}={name} needs at least {part.min_references} references",
        n_references,
        f"Raise n_references or change {group}.",
    )


def check_metrics(run: Run) -> None:
    """Raise `UserError` unless every metric has the images it needs."""
    for name, make in run.make_metrics.items():
        least = dict.fromkeys(("n_samples", "n_references", "n_held_out"), make().min_images)
        require_images(run, "evaluate", least, who=f"metric={name}")


def require_images(
    run: Run,
    stage: str,
    least: Mapping[str, int],
    of_training: Sequence[Split] = ("references",),
    who: str = "",
) -> None:
    """Raise `UserError` unless there are the images that a stage needs.

    Args:
        run: the assembled run.
        stage: what can be left out instead.
        least: name of the setting that says how many -> the fewest.
        of_training: splits of the training domain that `n_training` is about.
        who: what needs them; the stage itself, if empty.
    """
    for name, fewest in least.items():
        images = getattr(run.settings, name)
        if name == "n_held_out":
            images = at_most(run.domain, "held_out", images)
        if name == "n_training":
            images = min(at_most(run.training_domain, split, images) for split in of_training)
        require(
            images >= fewest,
            f"{who or f'the stage {stage}'} needs {name} to be at least {fewest}",
            images,
            f"Bring more images or leave out the stage {stage}.",
        )
