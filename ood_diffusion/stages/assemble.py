"""From a composed configuration to a checked `Cell`."""

from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import UserError, require
from ood_diffusion.diffusion.prediction import TO_EPS
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.settings import Settings, read_settings

KNOBS = tuple(Settings.__dataclass_fields__)


def assemble(cfg: DictConfig, names: dict[str, str], run_folder: Path, ranks: Ranks) -> Cell:
    """Build every part of the cell and check what can be checked before compute is spent.

    Args:
        cfg: the composed configuration.
        names: the choice made in each configuration group.
        run_folder: the cell's own output folder.
        ranks: the processes that share the predict loops.

    Raises:
        UserError: for settings or data that cannot work, from wherever they are found out.
    """
    settings = read_settings(cfg)
    selection = plain(cfg.selection)
    max_proposals = selection.pop("max_proposals")
    model: FrozenModel = build(cfg.model)
    cell = Cell(
        settings=settings,
        names=names,
        model=model.compute_in(settings.precision, settings.compile),
        domain=build(cfg.domain, image_size=model.image_shape[1]),
        solver=build(cfg.solver),
        grid=build(cfg.grid),
        prior=build(cfg.prior),
        sampler=build(cfg.sampler),
        selection=build(selection),
        training=build(cfg.training),
        draw_recipe={group: plain(cfg[group]) for group in ("prior", "sampler", "selection")},
        max_proposals=max_proposals,
        make_extractor=partial(build, cfg.extractor),
        make_metrics={str(name): partial(build, part) for name, part in cfg.metric.items()},
        ranks=ranks,
        store_root=Path(cfg.store),
        run_folder=run_folder,
    )
    check(cell, list(cfg.stages))
    return cell


def plain(part: Any) -> dict[str, Any]:
    """A group's settings as a dictionary, interpolations resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(part, resolve=True))


def build(part: Any, **more: Any) -> Any:
    """Instantiate one part of the configuration; a `UserError` inside it comes through as itself.

    Lists and dictionaries in YAML arrive as plain Python.
    """
    from hydra.errors import InstantiationException

    try:
        return instantiate(part, _convert_="all", **more)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from None
        if isinstance(error.__cause__, TypeError):
            raise UserError(f"{error.__cause__} (in the settings of {part.get('_target_')})") from None
        raise


def check(cell: Cell, stages: list[str]) -> None:
    """Raise `UserError` for what would only fail after compute has been spent."""
    settings, levels = cell.settings, cell.levels
    require(len(levels) >= 2, "the grid needs at least two levels", levels, "Raise steps.")
    available = cell.domain.size("references")
    require(
        available is None or settings.n_references <= available,
        f"n_references must be at most the {available} reference images of domain={cell.names['domain']}",
        settings.n_references,
        f"Set n_references={available} or bring more images.",
    )
    if "train" in stages:
        check_trainable(cell)
    if "sample" in stages:
        check_learners(cell)
    if "evaluate" in stages:
        check_judges(cell)


def check_trainable(cell: Cell) -> None:
    """Raise `UserError` unless the stage `train` can train such a network in such a way."""
    model = cell.model
    require(
        model.prediction_type in TO_EPS and model.state_shape == model.image_shape,
        "the stage train needs a network that predicts epsilon, v or the image, in pixels",
        f"model={cell.names['model']}",
        "Train it with the code of its authors.",
    )
    size = cell.ranks.size
    require(size == 1, "the stage train runs on one device", size, "Set trainer.devices=1.")


def check_learners(cell: Cell) -> None:
    """Raise `UserError` unless prior, sampler and selection have the references they need."""
    for group, part in (("prior", cell.prior), ("sampler", cell.sampler), ("selection", cell.selection)):
        require(
            cell.settings.n_references >= part.min_references,
            f"{group}={cell.names[group]} needs at least {part.min_references} references",
            cell.settings.n_references,
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
