"""A W&B run for each run, which never prompts, never hangs and never costs a result.

The mode is always explicit. Online needs a key at hand and an answer within `init_timeout` seconds;
otherwise the run is kept offline in the folder (``wandb sync`` uploads it later), and if W&B cannot start
at all, there is none.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from ood_diffusion.checks import Json
from ood_diffusion.figures import directions
from ood_diffusion.optional import optional
from ood_diffusion.report.collect.rows import scalar
from ood_diffusion.report.declared import figures_of
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.pictures import Pictures, grid, pair_grid
from ood_diffusion.report.results import PROVENANCE, Results
from ood_diffusion.report.tracking.mode import Mode, import_wandb, resolve_mode
from ood_diffusion.report.tracking.settings import Tracking, read_tracking
from ood_diffusion.report.tracking.tables import staged_in, tables, wandb_image
from ood_diffusion.terminal import brief

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)

ATTEMPTS: dict[Mode, tuple[Mode, ...]] = {
    "online": ("online", "offline"),
    "offline": ("offline",),
    "disabled": (),
}
SHOWN = 32


def open_run(settings: Mapping[str, Any], config: Json, folder: Path) -> "Run | None":
    """Start a run; call `close_run` in a ``finally``.

    Args:
        settings: "mode" ("auto", "online", "offline", "disabled"; default "auto"), "init_timeout" and
            "finish_timeout" in seconds (defaults 30 and 300), and what ``wandb.init`` takes: "project",
            "entity", "name", "group", "job_type", "tags", "notes".
        config: what determines the run. Lists become text: W&B groups runs by scalars, those of nested
            dictionaries by their dotted names.
        folder: where ``wandb/`` is made.

    Returns:
        None where W&B is disabled or cannot start.

    Raises:
        UserError: if a setting is wrong.
    """
    asked = read_tracking(settings)
    failures = []
    run = None
    for mode in ATTEMPTS[resolve_mode(asked.mode)]:
        try:
            run = _started(asked, mode, _groupable(config), folder)
            break
        except Exception as error:  # no wandb, or what comes from it: of its own, of pydantic, of the system
            failures.append(f"{mode} ({brief(error)})")
            teardown()  # else the service says that the run's id is in use
    if failures:
        log.warning(
            "W&B could not start %s; continuing %s.", ", ".join(failures), mode if run else "without it"
        )
    return run


def _started(asked: Tracking, mode: Mode, config: Json, folder: Path) -> "Run":
    wandb = import_wandb()
    known = {k: v for k, v in asked.timeouts.items() if k in wandb.Settings.model_fields}
    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        **{"project": "ood-diffusion", **asked.words},
        tags=asked.tags or None,
        mode=mode,
        config=config,
        dir=str(folder),
        id=known_id(folder),
        resume="allow",
        reinit="finish_previous",  # else a run that someone forgot to finish swallows this one
        settings=wandb.Settings(silent=True, console="off", **known),
    )
    if mode == "offline":
        log.info("W&B: offline run; upload it with: wandb sync %s", Path(run.dir).parent)
    return cast("Run", run)


def known_id(folder: Path) -> str | None:
    """The id of the W&B run of this folder, which an earlier attempt has begun; None if there was none."""
    names = sorted(path.name for path in folder.glob("wandb/*run-*-*"))  # run-TIME-ID or run-TIME-ID-NUMBER
    return names[-1].partition("run-")[2].split("-")[1] if names else None


def log_results(run: "Run", results: Results, pictures: Pictures) -> None:
    """Log every number, the image grids and the tables in one step; words and numbers also go to the summary.

    W&B is told which figures are better when lower or higher: their summary is the minimum or the maximum.
    """
    flat = numbers(results)
    for path, way in directions(figures_of(results), flat).items():
        run.define_metric(path, summary="min" if way == "lower" else "max")
    figures = {key: value for key, value in flat.items() if not isinstance(value, str)}
    images = {name: wandb_image(sheet) for name, sheet in sheets(pictures).items()}
    with staged_in(Path(run.dir).parent):
        run.log({**figures, **images, **tables(results, pictures)})
    run.summary.update(flat)  # under its own path; left alone, the definitions make it PATH.min


def close_run(run: "Run", failed: bool = False) -> None:
    """Finish the run, so that the next job of a sweep does not write into it; W&B marks it if it failed.

    What interrupted attempts recorded offline goes when one has ended well: ``wandb sync`` refuses a run of
    which any record is incomplete.
    """
    finished = False
    with optional("finish the W&B run"):
        run.finish(exit_code=int(failed))
        finished = True
    here = Path(run.dir).parent
    for earlier in here.parent.glob(f"offline-run-*-{run.id}*") if finished and not failed else ():
        if earlier != here:
            rmtree(earlier, ignore_errors=True)
    if failed or not finished:
        teardown()  # its service may have been killed, too: the next job needs another


def teardown() -> None:
    """End W&B's service; the next run starts another."""
    with suppress(Exception):
        import_wandb().teardown()


def numbers(results: Results) -> dict[str, float | int | str]:
    """What a logger is told of results: every number and word by its path, without their provenance."""
    return flatten({name: found for name, found in results.items() if name not in PROVENANCE})


def sheets(pictures: Pictures) -> dict[str, Tensor]:
    """Name -> uint8 ``[3, h, w]``: the images of a run, `SHOWN` of each kind at most, on sheets."""
    found = {"references": grid(pictures.references[:SHOWN], 8)} if len(pictures.references) else {}
    if found and pictures.reconstructions is not None:
        pair = pictures.references[:SHOWN], pictures.reconstructions[:SHOWN]
        found["reference_and_reconstruction"] = pair_grid(*pair, pairs=4)
    if pictures.samples is not None and len(pictures.samples):
        found["samples"] = grid(pictures.samples[:SHOWN], 8)
        if pictures.nearest is not None:
            pair = pictures.samples[:SHOWN], pictures.nearest[:SHOWN]
            found["sample_and_nearest_reference"] = pair_grid(*pair, pairs=4)
    return {f"pictures/{name}": sheet for name, sheet in found.items()}


def _groupable(config: Json) -> Json:
    return {k: _groupable(v) if isinstance(v, dict) else scalar(v) for k, v in config.items()}
