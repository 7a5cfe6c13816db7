"""`dry_run=true`: what a run or a sweep would cost, and what of it would fail, without computing anything.

Every run of a sweep leaves its plan in its own output folder and the process that started the sweep adds
them up, so that it does not matter which launcher starts the runs. Only a run imports heavy libraries.
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ood_diffusion.checks import UserError, require
from ood_diffusion.natural_order import natural_order
from ood_diffusion.report.plan.work import Plan
from ood_diffusion.runs.launch import ranks_wanted
from ood_diffusion.runs.outcome import explain, verdict
from ood_diffusion.runs.settings import RICH, read_settings
from ood_diffusion.runs.sweep import PLAN, Sweep
from ood_diffusion.storage.atomic import atomic_write

if TYPE_CHECKING:
    from ood_diffusion.models.base import FrozenModel
    from ood_diffusion.runs.run import Run


def is_dry_run(cfg: DictConfig) -> bool:
    """The setting `dry_run`; `UserError` unless it is true or false."""
    require(isinstance(cfg.dry_run, bool), "dry_run must be true or false", cfg.dry_run, "Try true.")
    return bool(cfg.dry_run)


def dry_run(cfg: DictConfig, names: dict[str, str], folder: Path) -> None:
    """Plan one run: print it, or leave it in `folder` for the sweep that the run belongs to.

    Raises:
        UserError: for wrong settings or data; in a sweep it becomes part of the plan, so that all runs are
            seen.
    """
    if HydraConfig.get().mode == RunMode.RUN:
        show({folder: plan(cfg, names, folder)}, cfg.output)
        return
    try:
        found = plan(cfg, names, folder)
    except (UserError, OmegaConfBaseException, InstantiationException) as error:
        if verdict(error) is None:
            raise
        found = Plan(mistake=explain(error))
    atomic_write(folder / PLAN, json.dumps(found.as_json()).encode())


def plan(cfg: DictConfig, names: dict[str, str], folder: Path) -> Plan:
    """The plan of one run, after all checks that a run would make before it computes."""
    from ood_diffusion.runs.assemble import kept_model
    from ood_diffusion.runs.plan import plan_run

    read_settings(cfg)  # before a model is loaded
    return plan_run(assembled(cfg, names, folder, kept_model(cfg)))


def assembled(
    cfg: DictConfig, names: dict[str, str], folder: Path, model: "FrozenModel | None" = None
) -> "Run":
    """A run that can be asked what it would do: all is checked that a run checks, and nothing written.

    `model` is that of `cfg`, if it is loaded already.
    """
    read_settings(cfg)
    if cfg.store_mode == "reuse":
        cfg.store_mode = "readonly"  # damaged shards stay where they are
    from ood_diffusion.lightning.ranks import Ranks
    from ood_diffusion.runs.assemble import assemble, build

    ranks = Ranks(partial(build, cfg.trainer))
    ranks.size = ranks_wanted(cfg.trainer)  # to be checked, not to be met
    return assemble(cfg, names, folder, ranks, model)


def show(plans: dict[Path, Plan], output: str) -> None:
    """Print the plans of the runs in these folders, as the setting `output` says.

    Raises:
        UserError: if one of them would fail.
    """
    from ood_diffusion.report.json_line import plan_lines
    from ood_diffusion.report.plan.table import print_plan
    from ood_diffusion.report.plan.words import failures

    if output == RICH:
        print_plan(plans)
    if output == "json":
        print("\n".join(plan_lines(plans)), flush=True)
    if reasons := failures(list(plans.values())):
        raise UserError(f"{len(reasons)} of {len(plans)} runs would fail. {next(iter(reasons.values()))}")


def show_sweep() -> None:
    """Print what the runs of this process's sweep have planned, if that is what they did.

    Raises:
        UserError: if one of them would fail.
    """
    found = Sweep.path.rglob(PLAN) if Sweep.path else ()
    if files := sorted(found, key=lambda path: natural_order(str(path))):
        plans = {path.parent: Plan.from_json(json.loads(path.read_text())) for path in files}
        show(plans, Sweep.output)
