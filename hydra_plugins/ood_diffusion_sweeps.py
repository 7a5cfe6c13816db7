"""What Hydra takes from packages only below `hydra_plugins`: sweepers and a launcher of ours.

Every Hydra program on the machine imports this file: what is heavy is imported in the methods, and the
settings that name these classes are in our own `conf/hydra`.
"""

import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.runs.swept import Swept

log = logging.getLogger(__name__)

SCRIPT = """#!/usr/bin/env bash
# What `ood-diffusion submit` submitted: a task for each run. Resume by: ood-diffusion resume {folder}
set -euo pipefail
export SRUN_CPUS_PER_TASK="${{SLURM_CPUS_PER_TASK:-1}}"  # which srun does not take over
case $SLURM_ARRAY_TASK_ID in
{runs}
esac
TASK="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"  # SLURM_JOB_ID is the whole array's in one task
# The signal comes before the time is up. Each requeue goes on with the interrupted batch.
trap '[ "${{SLURM_RESTART_COUNT:-0}}" -ge 20 ] || scontrol requeue "$TASK"' USR1
srun --kill-on-bad-exit=1 {command} "$@" &
wait $!
"""


class Grid(Swept):
    """Every combination of values; those whose runs are complete in the sweep's folder are not run again."""

    def sweep(self, arguments: list[str]) -> Any:
        """Hand the launcher what is to be done, all at once.

        Raises:
            Exception: of the first run that failed, when all have ended.
        """
        from ood_diffusion.checks import require
        from ood_diffusion.report.collect.run_files import MULTIRUN
        from ood_diffusion.report.collect.sweep_size import combinations
        from ood_diffusion.runs.resume import numbered, to_do
        from ood_diffusion.storage.atomic import atomic_write

        folder, dry = Path(self.config.hydra.sweep.dir), self.config.get("dry_run") is True
        runs = combinations(self.words(arguments), self.hydra_context.config_loader)
        require(bool(runs), "a sweep needs at least one run", [], "Give every setting at least one value.")
        subdir = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)["subdir"]  # type: ignore[call-overload,index]
        jobs, begun = to_do(folder, runs, str(subdir), dry)
        if begun:
            done = len(runs) - len(jobs)
            log.info("%d of %d runs are complete in %s", done, len(runs), os.path.relpath(folder))
        self.validate_batch_is_legal(self.with_new_choices(jobs) if dry else jobs)
        if not dry:
            atomic_write(folder / MULTIRUN, OmegaConf.to_yaml(self.config).encode())
        alone = self.config.hydra.runtime.choices["hydra/launcher"] == "basic"  # others run a round at a time
        rounds = numbered(jobs) if alone else [(0, jobs)] * bool(jobs)
        ended = [each for number, some in rounds for each in self.launcher.launch(some, number)]
        for each in ended:
            _ = each.return_value  # raises what ended the run
        return ended

    def with_new_choices(self, jobs: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """Those jobs that choose a file no earlier one does: a plan names all other mistakes by itself."""
        found, seen, files_of = [], set[str](), self.hydra_context.config_loader.get_group_options
        for job in jobs:
            new = set(job) - seen
            if any(files_of(word.lstrip("+").partition("=")[0].partition("@")[0]) for word in new):
                found.append(job)
            seen |= new
        return found


class Deferred(Sweeper):
    """A sweeper of ours that is imported when it is used."""

    def __init__(self, **settings: Any) -> None:
        self.own = self.kind()(**settings)

    def kind(self) -> type[Sweeper]:
        """Its class."""
        raise NotImplementedError

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before `sweep`."""
        self.own.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """What that class does."""
        return self.own.sweep(arguments)


class Search(Deferred):
    """``sweeper=optuna``."""

    def kind(self) -> type[Sweeper]:
        """Its class."""
        from ood_diffusion.runs.search import Search

        return Search


class SweepFile(Deferred):
    """``sweeper=wandb``."""

    def kind(self) -> type[Sweeper]:
        """Its class."""
        from ood_diffusion.runs.sweep_file import SweepFile

        return SweepFile


class Submit(Launcher):
    """Each run as a task of a SLURM job array, for which nobody waits.

    Args:
        array_parallelism: runs at a time.
        sbatch: its options.
        options: further ones, which count where both say something.
    """

    def __init__(self, array_parallelism: int, sbatch: Sequence[str], options: Sequence[str]) -> None:
        self.array_parallelism, self.options = array_parallelism, [*sbatch, *options]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before anything is written.

        Raises:
            UserError: where there is no SLURM, nothing is to be computed, or a search waits for results.
        """
        from ood_diffusion.checks import UserError, require
        from ood_diffusion.report.collect.run_files import MULTIRUN, read

        if config.get("dry_run") is True:
            raise UserError("submit needs dry_run=false, but got true. For a plan, leave out submit.")
        sweeper = config.hydra.runtime.choices["hydra/sweeper"]
        remedy = "A search waits for its runs: leave out submit and set launcher=slurm."
        require(sweeper == "grid", "submit needs sweeper=grid", sweeper, remedy)
        if not shutil.which("sbatch"):
            raise UserError(
                "submit needs SLURM's sbatch, but it is not on the path. Call it on a login node."
            )
        self.config, self.before = config, read(Path(config.hydra.sweep.dir) / MULTIRUN)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the runs, and say what they are called.

        Raises:
            UserError: if sbatch refuses them; nothing has begun then, and what lay in the folder still does.
        """
        from ood_diffusion.checks import UserError
        from ood_diffusion.report.collect.run_files import MULTIRUN
        from ood_diffusion.report.collect.run_folder import ALONE, config_dirs
        from ood_diffusion.runs.configuration import quoted
        from ood_diffusion.storage.atomic import atomic_write

        hydra = self.config.hydra
        folder, shown = Path(os.path.abspath(hydra.sweep.dir)), shlex.quote(os.path.relpath(hydra.sweep.dir))
        beside = ("hydra.launcher.", "hydra.mode=", "hydra.sweep.dir=")
        of_all = [
            *(sys.executable, "-m", "ood_diffusion", *config_dirs(hydra.runtime), ALONE),
            *(word for word in hydra.overrides.hydra if not word.startswith(beside)),
            f"hydra.sweep.dir={quoted(str(folder))}",
            "hydra.run.dir=${hydra.sweep.dir}/${hydra.sweep.subdir}",
        ]
        tasks = [f"{number}) set -- {shlex.join(each)} ;;" for number, each in enumerate(job_overrides)]
        script, logs = folder / "array.sbatch", folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        text = SCRIPT.format(folder=shown, runs="\n".join(tasks), command=shlex.join(of_all))
        of_array = [
            f"--array=0-{len(tasks) - 1}%{self.array_parallelism}",
            f"--output={str(logs).replace('%', '%%')}/%A_%a.log",
        ]
        command = ["sbatch", "--parsable", *of_array, *map(str, self.options)]
        answer = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if answer.returncode:
            if self.before is None:
                (folder / MULTIRUN).unlink()
                for made in (logs, folder):
                    with suppress(OSError):  # it holds something
                        made.rmdir()
            else:
                atomic_write(folder / MULTIRUN, self.before)
            raise UserError(f"sbatch refused the runs: {answer.stderr.strip()}")
        atomic_write(script, text.encode())
        job = answer.stdout.strip().partition(";")[0]
        log.info("Submitted job %s of %d runs, which write to %s/logs", job, len(tasks), shown)
        log.info("  ood-diffusion collect %s    what they have found, even while they run", shown)
        log.info("  ood-diffusion resume %s     submit again what failed or did not finish", shown)
        return []
