"""One W&B run per cell, which never prompts, never hangs and never costs a result.

The mode is always explicit. Online needs a key at hand and an answer within `init_timeout` seconds;
otherwise the run is kept offline in the folder (``wandb sync`` uploads it later), and if W&B's own
service cannot start, the run is a stand-in that swallows everything.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ood_diffusion.checks import require_choice
from ood_diffusion.report.collect.rows import scalar
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.pictures import Pictures, grid, pair_grid
from ood_diffusion.report.results import Results
from ood_diffusion.report.tracking.directions import directions
from ood_diffusion.report.tracking.mode import Mode, import_wandb, resolve_mode
from ood_diffusion.report.tracking.tables import staged_in, tables, wandb_image

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)

WORDS = ("project", "entity", "name", "group", "job_type", "tags", "notes")
TIMEOUTS = {"init_timeout": 30.0, "finish_timeout": 300.0}
SHOWN = 32


def open_run(settings: Mapping[str, Any], config: dict[str, Any], folder: Path) -> "Run":
    """Start a run; call `close_run` in a ``finally``.

    Args:
        settings: "mode" ("auto", "online", "offline", "disabled"; default "auto"), "init_timeout" and
            "finish_timeout" in seconds (defaults 30 and 300), and what ``wandb.init`` takes: "project",
            "entity", "name", "group", "job_type", "tags", "notes".
        config: what determines the cell. Lists become text: W&B groups runs by scalars, those of nested
            dictionaries by their dotted names.
        folder: where ``wandb/`` is made.

    Raises:
        UserError: if a setting is unknown or wandb is not installed.
    """
    wandb = import_wandb()
    for key in settings:
        require_choice("a wandb setting", key, ("mode", *WORDS, *TIMEOUTS))
    mode = resolve_mode(str(settings.get("mode") or "auto"))
    given = {key: float(settings[key]) for key in TIMEOUTS if settings.get(key) is not None}
    known = {k: v for k, v in (TIMEOUTS | given).items() if k in wandb.Settings.model_fields}
    words = {key: settings[key] for key in WORDS if settings.get(key) is not None}
    if "tags" in words:
        words["tags"] = list(words["tags"])
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            run = wandb.init(
                **{"project": "ood-diffusion", **words},
                mode=mode,
                config=_groupable(config),
                dir=str(folder),
                reinit="finish_previous",  # else a run that someone forgot to finish swallows this one
                settings=wandb.Settings(silent=True, console="off", **known),
            )
            if mode == "offline":
                log.info("W&B: offline run; upload it with: wandb sync %s", Path(run.dir).parent)
            return cast("Run", run)
        except (wandb.errors.Error, OSError) as error:
            if mode == "disabled":
                raise
            following: Mode = "offline" if mode == "online" else "disabled"
            log.warning("W&B could not start %s (%s); continuing %s.", mode, _first_line(error), following)
            mode = following


def log_results(run: "Run", results: Results, pictures: Pictures) -> None:
    """Log every number, the image grids and the tables in one step; words and numbers also go to the summary.

    W&B is told which figures are better when lower or higher: their summary is the minimum or the maximum.
    """
    flat = flatten(results)
    for path, way in directions(flat, results.get("metrics", {}).get("better", {})).items():
        run.define_metric(path, summary="min" if way == "lower" else "max")
    numbers = {key: value for key, value in flat.items() if not isinstance(value, str)}
    with staged_in(Path(run.dir).parent):
        run.log({**numbers, **_images(pictures), **tables(flat, pictures)})
    run.summary.update(flat)  # under its own path; left alone, the definitions make it PATH.min


def close_run(run: "Run", failed: bool = False) -> None:
    """Finish the run, so that the next job of a sweep does not write into it; W&B marks it if it failed."""
    with guarded("finish the run"):
        run.finish(exit_code=int(failed))


@contextmanager
def guarded(action: str) -> Iterator[None]:
    """Turn a W&B or system error inside the block into one warning: results on disk are what counts."""
    wandb = import_wandb()
    try:
        yield
    except (wandb.errors.Error, OSError) as error:
        log.warning(
            "W&B could not %s (%s); results.json and the report are complete.", action, _first_line(error)
        )


def _groupable(config: dict[str, Any]) -> dict[str, Any]:
    return {k: _groupable(v) if isinstance(v, dict) else scalar(v) for k, v in config.items()}


def _images(pictures: Pictures) -> dict[str, Any]:
    sheets = {"references": grid(pictures.references[:SHOWN], 8)} if len(pictures.references) else {}
    if sheets and pictures.reconstructions is not None:
        pair = pictures.references[:SHOWN], pictures.reconstructions[:SHOWN]
        sheets["reference_and_reconstruction"] = pair_grid(*pair, pairs=4)
    if pictures.samples is not None and len(pictures.samples):
        sheets["samples"] = grid(pictures.samples[:SHOWN], 8)
        if pictures.nearest is not None:
            pair = pictures.samples[:SHOWN], pictures.nearest[:SHOWN]
            sheets["sample_and_nearest_reference"] = pair_grid(*pair, pairs=4)
    return {f"pictures/{name}": wandb_image(sheet) for name, sheet in sheets.items()}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
