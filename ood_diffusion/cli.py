"""The command `ood-diffusion`: the only place where Hydra starts.

Heavy libraries are imported when a job runs, after its knobs have been checked, so that `--help` and
mistakes in the configuration answer at once. A user's mistake ends with one message and exit status 2,
without a traceback.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import UserError, require
from ood_diffusion.stages.configuration import GROUPS, conf_folder
from ood_diffusion.stages.dry_run import dry_run, is_dry_run, show_sweep
from ood_diffusion.stages.failure import occupied, recorded
from ood_diffusion.stages.json_output import print_cell, print_others
from ood_diffusion.stages.launch import launch, leads
from ood_diffusion.stages.outcome import end_on_sigterm, reported
from ood_diffusion.stages.settings import read_settings
from ood_diffusion.terminal import replace_unprintable

COMMANDS = {
    "claims": "ood_diffusion.claims.across_runs",
    "collect": "ood_diffusion.report.collect.command",
    "dashboard": "ood_diffusion.dashboard.command",
    "leaderboard": "ood_diffusion.claims.leaderboard_command",
}
"""Commands that read what runs have left, and the modules in which they are functions of that name."""


@hydra.main(version_base="1.3", config_path=conf_folder(), config_name="config")
def job(cfg: DictConfig) -> None:
    """One run or one cell of a multirun."""
    replace_unprintable()  # a launcher's process has not been through `main`
    config = HydraConfig.get()
    names = {group: str(config.runtime.choices[group]) for group in GROUPS}
    folder = Path(config.runtime.output_dir)
    if is_dry_run(cfg):
        dry_run(cfg, names, folder)
        return
    with occupied(folder) if leads() else nullcontext(), recorded(folder):
        read_settings(cfg)
        launch(cfg, names, folder, OmegaConf.to_container(config.job_logging, resolve=True))
    if cfg.output == "json" and leads():
        print_cell(folder)


def check_command(arguments: Sequence[str]) -> None:
    """Raise `UserError` for what Hydra can make nothing of, and does not say so in words for users."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        raise UserError("expected a working folder, but it was deleted. Change to another one.") from None
    require(
        "${" not in folder,
        "the path of the working folder must not hold ${, which stands for another setting's value",
        folder,
        "Rename the folder, or work in another one.",
    )
    for key, _, value in (argument.partition("=") for argument in arguments):
        group = Path(conf_folder(), key.partition("@")[0])
        if value in ("null", "") and key and group.is_dir():
            names = sorted(file.stem for file in group.glob("*.yaml"))
            raise UserError(f"{key} must be one of: {', '.join(names)}, but got {value or 'nothing'}.")


def main() -> None:
    """Entry point; exit status 0 for success, 2 for a mistake of the user's, 1 for one of ours.

    `COMMANDS` are no jobs: there 1 says that not all cells are complete.
    """
    replace_unprintable()
    os.environ["MPLBACKEND"] = "svg"  # all that is drawn here; one that is not there would fail every import
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here instead of being printed there
    end_on_sigterm()
    with reported():
        name = sys.argv[1] if len(sys.argv) > 1 else ""
        if name in COMMANDS:
            sys.exit(0 if getattr(import_module(COMMANDS[name]), name)(sys.argv[2:]) else 1)
        check_command(sys.argv[1:])
        try:
            job()
        finally:
            print_others()
        show_sweep()


if __name__ == "__main__":
    main()
