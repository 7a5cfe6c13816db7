"""Where a run is logged, behind one interface: W&B, or one of Lightning's loggers. None costs a result."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger

from ood_diffusion.checks import Json
from ood_diffusion.optional import optional
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.results import Results
from ood_diffusion.report.tracking.log import close_run, log_results, numbers, open_run, sheets
from ood_diffusion.storage.atomic import atomic_write

MLFLOW_RUN = "mlflow_run.txt"
"""In a run's folder: the id of its MLflow run, which the next attempt goes on with."""


@dataclass(frozen=True)
class Tracker:
    """One run, as a logger has it.

    Args:
        log: writes figures and pictures of a run that has ended well; may raise.
        close: ends the run there and says whether it failed.
        url: of its page; empty if it has none.
    """

    log: Callable[[Results, Pictures], None]
    close: Callable[[bool], None]
    url: str = ""


def open_tracker(settings: Mapping[str, Any], config: Json, folder: Path) -> Tracker | None:
    """Start logging; call `Tracker.close` in a ``finally``.

    Args:
        settings: of W&B (`open_run`), or, with a ``_target_``, the arguments of a logger of Lightning's; a
            ``save_dir`` that is null is `folder`.
        config: what determines the run.
        folder: of the run.

    Returns:
        None where nothing is logged, or the logger cannot start.
    """
    if "_target_" not in settings:
        return _wandb(settings, config, folder)
    if "save_dir" in settings:
        settings = {**settings, "save_dir": settings["save_dir"] or str(folder)}
    begun = folder / MLFLOW_RUN
    with optional("start the logger"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that what an earlier attempt logged here is replaced
        again = settings["_target_"].endswith(".MLFlowLogger") and begun.exists()
        known = {"run_id": begun.read_text()} if again else {}
        logger: Logger = instantiate({**known, **settings}, _convert_="all")
        if not again:
            logger.log_hyperparams(config)
        if isinstance(logger, MLFlowLogger):
            atomic_write(begun, str(logger.run_id).encode())
        return Tracker(partial(_log, logger), partial(_close, logger))
    return None


def _wandb(settings: Mapping[str, Any], config: Json, folder: Path) -> Tracker | None:
    url, run = "", open_run(settings, config, folder)
    if run is None:
        return None
    with optional("find the address of the W&B run"):
        url = "" if run.offline else str(run.url)
    return Tracker(partial(log_results, run), partial(close_run, run), url)


def _log(logger: Logger, results: Results, pictures: Pictures) -> None:
    figures = {path: value for path, value in numbers(results).items() if not isinstance(value, str)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name has characters which MLflow leaves out
        if isinstance(logger, TensorBoardLogger):  # its table of runs; logs the figures too
            logger.log_hyperparams(dict(results["coordinates"]), figures)
        else:
            logger.log_metrics(figures)
    for name, sheet in sheets(pictures).items():
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, sheet)
        elif isinstance(logger, MLFlowLogger):
            image = sheet.permute(1, 2, 0).numpy()
            logger.experiment.log_image(str(logger.run_id), image, f"{name}.png")


def _close(logger: Logger, failed: bool) -> None:
    with optional("close the logger"):
        logger.finalize("failed" if failed else "success")
