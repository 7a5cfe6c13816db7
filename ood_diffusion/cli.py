"""The command `ood-diffusion`: the only place where Hydra starts.

Heavy libraries are imported when a job runs, after its knobs have been checked, so that `--help` and
mistakes in the configuration answer at once. Hydra itself is imported by `main`, which must hear Ctrl-C
before. Whatever ends a run is one message, without a traceback.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ood_diffusion.stopping import end_on_signals

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMMANDS = {
    "claims": "ood_diffusion.study.across_runs",
    "collect": "ood_diffusion.report.collect.command",
    "compare": "ood_diffusion.claims.compare_command",
    "dashboard": "ood_diffusion.dashboard.command",
    "export": "ood_diffusion.stages.export",
    "fetch": "ood_diffusion.runs.fetch",
    "leaderboard": "ood_diffusion.claims.leaderboard_command",
    "store": "ood_diffusion.report.store_command",
}
"""Commands that run nothing, and the modules in which they are functions of that name."""
WRITTEN = {"debug=nan": "debug='nan'"}
"""Words that Hydra would read otherwise: here as a number."""
STARTERS = ("resume", "submit")
"""Commands that stand for others: functions of `runs.resume`, from their words to those of the other."""


def job(cfg: "DictConfig") -> float | tuple[float, ...] | None:
    """One run, alone or of a multirun; what it returns is its `objective`, if it has one."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a process of joblib's
        end_on_signals(printed=False)
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    from ood_diffusion.runs.configuration import GROUPS, require_read
    from ood_diffusion.runs.dry_run import dry_run, is_dry_run
    from ood_diffusion.runs.failure import explained, occupied, recorded, require_no_failure
    from ood_diffusion.runs.launch import launch, leads
    from ood_diffusion.runs.objective import returned
    from ood_diffusion.runs.outcome import reported
    from ood_diffusion.runs.settings import read_settings
    from ood_diffusion.runs.sweep import print_run
    from ood_diffusion.terminal import replace_unprintable

    replace_unprintable()  # a launcher's process has not been through `main`
    config = HydraConfig.get()
    names = {group: str(config.runtime.choices[group]) for group in GROUPS}
    folder = Path(config.runtime.output_dir)
    alone = config.mode == RunMode.RUN  # in a multirun Hydra says which run failed, and goes on
    stops = cfg.fail_fast is True and config.runtime.choices["launcher"] in (
        "basic",
        "joblib",
    )  # ends them all
    with reported() if alone or stops else nullcontext():
        if is_dry_run(cfg):
            with explained(folder, cfg):
                require_read(cfg, config)
                dry_run(cfg, names, folder)
            return None
        require_no_failure(folder, cfg.fail_fast)
        with occupied(folder) if leads() else nullcontext(), recorded(folder), explained(folder, cfg):
            require_read(cfg, config)
            read_settings(cfg)
            side_by_side = not alone and config.runtime.choices["launcher"] in ("joblib", "local")
            place = int(config.job.num) if side_by_side else 0
            launch(cfg, names, folder, OmegaConf.to_container(config.job_logging, resolve=True), place)
            objective = returned(cfg.objective, folder) if leads() else None
        if cfg.output == "json" and leads():
            print_run(folder)
        return objective


def check_command(arguments: Sequence[str]) -> None:
    """Raise `UserError` for what Hydra can make nothing of, and does not say so in words for users."""
    from ood_diffusion.checks import UserError, require
    from ood_diffusion.runs.configuration import conf_folder

    try:
        folder = os.getcwd()
    except FileNotFoundError:
        raise UserError("expected a working folder, but it was deleted. Change to another one.") from None
    require(
        "${" not in folder,
        "the path of the working folder must not hold ${, which refers to another setting",
        folder,
        "Rename the folder, or work in another one.",
    )
    for key, given, value in (argument.partition("=") for argument in arguments):
        group = Path(conf_folder(), key.partition("@")[0])
        if given and value in ("null", "") and key and group.is_dir():
            names = sorted(file.stem for file in group.glob("*.yaml"))
            raise UserError(f"{key} must be one of: {', '.join(names)}, but got {value or 'nothing'}.")


def is_setting(word: str) -> bool:
    """Whether a word of the command line sets or removes something, and is no flag or its value."""
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def completion() -> bool:
    """Print the commands that a shell may complete to, and leave Hydra the settings in the line that it sent.

    Returns:
        Whether Hydra has anything to do: it has not where a file or folder is to be completed.
    """
    name, *words = os.environ["COMP_LINE"].replace("'", "").replace('"', "").split(" ")
    begun = words.pop() if words else ""
    if not words:
        print(*(each for each in [*COMMANDS, *STARTERS] if each.startswith(begun)))
    os.environ["COMP_LINE"] = " ".join([name, "-m", *filter(is_setting, words), begun])
    return words[:1] not in [[each] for each in COMMANDS] and words not in [[each] for each in STARTERS]


def main() -> None:
    """Entry point; exit status 0 for success, 2 for a user error, 1 for any other, 128 + n for signal n.

    `COMMANDS` are no jobs: there 1 says that not all runs are complete.
    """
    end_on_signals()
    import hydra

    from ood_diffusion.checks import UserError
    from ood_diffusion.runs import resume
    from ood_diffusion.runs.configuration import conf_folder
    from ood_diffusion.runs.dry_run import show_sweep
    from ood_diffusion.runs.outcome import reported
    from ood_diffusion.runs.sweep import print_others
    from ood_diffusion.terminal import replace_unprintable

    replace_unprintable()
    logging.raiseExceptions = False  # a log that a full disk cannot hold is no reason for tracebacks
    os.environ["MPLBACKEND"] = "svg"  # all that is drawn here; one that is not there would fail every import
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here instead of being printed there
    try:
        completing = sys.argv[1:2] == ["-sc"] and "COMP_LINE" in os.environ  # no message in the user's line
        with reported(printed=not completing):
            if completing and not completion():
                return
            name = sys.argv[1] if len(sys.argv) > 1 else ""
            if name in COMMANDS:
                sys.exit(0 if getattr(import_module(COMMANDS[name]), name)(sys.argv[2:]) else 1)
            if name in STARTERS:
                sys.argv[1:] = getattr(resume, name)(sys.argv[2:])
            check_command(sys.argv[1:])
            words = [WRITTEN.get(word, word) for word in sys.argv[1:]]
            sys.argv[1:] = sorted(words, key=is_setting)  # argparse takes no flags between them
            try:
                hydra.main(version_base="1.3", config_path=conf_folder(), config_name="config")(job)()
            except (
                FileNotFoundError
            ) as error:  # Hydra's: on such a file system as /proc no folder can be made
                raise UserError(
                    f"the folder of a run must be one that can be made, but got {error.filename}. "
                    "Change hydra.run.dir or hydra.sweep.dir."
                ) from error
            finally:
                print_others()
            show_sweep()
    except SystemExit as end:
        if end.code:
            resume.how_to_resume()
        raise


if __name__ == "__main__":
    main()
