"""A search, in which Optuna chooses the runs of a sweep.

It proposes by ask and tell: it launches a round of runs with any launcher, tells Optuna what they returned,
and keeps all of it in a file beside the runs.
"""

import json
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from ood_diffusion.checks import Json, UserError, require, require_integer
from ood_diffusion.extras import import_extra
from ood_diffusion.report.collect.run_files import MULTIRUN
from ood_diffusion.report.collect.run_folder import WITHOUT_EFFECT, RunFolder, key_of
from ood_diffusion.report.json_line import one_line
from ood_diffusion.report.wording import counted, number
from ood_diffusion.runs.failure import LOCK, Occupied
from ood_diffusion.runs.objective import names_of
from ood_diffusion.runs.settings import RICH
from ood_diffusion.runs.space import (
    BY_CHANCE,
    Space,
    Spaced,
    Values,
    distribution,
    first_of,
    proposal,
    settings,
)
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.holding import acquire
from ood_diffusion.terminal import printing

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STUDY = "study.log"
"""In the folder of a search: Optuna's journal of it, which its dashboard reads as well."""
NAME = "search"
"""Of the only study in that file."""
ASKED = "asked"
"""The study's attribute that holds the objective, the space and the settings of all its runs."""


class Search(Spaced):
    """Optuna proposes, the launcher runs, Optuna is told: until `n_trials` trials have ended.

    Args:
        n_trials: trials in all, failed ones and those of earlier commands among them.
        n_jobs: trials of one round, which are proposed and launched together.
        seed: of the proposals.
        params: of the sweep's file.
        seeds: a trial is a run for each, and their mean is what it found; it is stopped where the mean so far
            is worse than the median of earlier trials. None: a trial is one run.

    Raises:
        UserError: for another value, or without Optuna.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int,
        seed: int,
        params: Mapping[str, str] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        super().__init__(params)
        import_extra("optuna", "search").logging.set_verbosity(logging.ERROR)
        for name, value, least in (("n_trials", n_trials, 1), ("n_jobs", n_jobs, 1), ("seed", seed, 0)):
            require_integer(f"hydra.sweeper.{name}", value, least, f"Correct hydra.sweeper.{name}.")
        for each in seeds or ():
            require_integer("each of hydra.sweeper.seeds", each, 0, "Try hydra.sweeper.seeds=[0,1,2].")
        self.n_trials, self.n_jobs, self.seed = n_trials, n_jobs, seed
        self.seeds: list[int | None] = list(dict.fromkeys(seeds or ())) or [None]

    def sweep(self, arguments: list[str]) -> None:
        """Search, and print what was found.

        Raises:
            UserError: for a command that no search can follow.
            Exception: what the first run that failed raised, when the search has ended.
        """
        objective = names_of(self.config.objective)
        remedy = "Name the figure to search by, such as objective=fid_minus_twin."
        require(bool(objective), "sweeper=optuna needs an objective", self.config.objective, remedy)
        swept, fixed = self.parsed(arguments)
        double = self.seeds != [None] and "seed" in {*swept, *map(key_of, fixed)}
        rule = "seed must be left out where hydra.sweeper.seeds are given"
        require(not double, rule, arguments, "Leave out one of them.")
        space = {key: distribution(each) for key, each in swept.items()}
        folder = Path(self.config.hydra.sweep.dir)
        asked = {
            "objective": objective,
            "space": {key: str(each.input_line).partition("=")[2] for key, each in swept.items()},
            "fixed": [word for word in fixed if key_of(word).split(".")[0] not in WITHOUT_EFFECT],
            **({} if self.seeds == [None] else {"seeds": self.seeds}),
        }
        first = settings(fixed, {key: first_of(each) for key, each in swept.items()})
        better = [each.better for each in self.objective(first)]  # before anything is written: it may refuse
        if self.config.dry_run:
            there = (folder / STUDY).exists() and (folder / MULTIRUN).exists()
            begun = self.opened(folder, asked, better).trials if there else []
            self.plan(begun, space, fixed, len(objective))
            return
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            acquire(lock, timeout=0)
        except Timeout:
            remedy = "Wait for its end, or take another folder by hydra.sweep.dir=FOLDER."
            raise UserError(f"a search is running in {folder}. {remedy}") from None
        try:
            study = self.opened(folder, asked, better)
            atomic_write(folder / MULTIRUN, OmegaConf.to_yaml(self.config).encode())
            failures = self.search(study, space, fixed)
        finally:
            lock.release()
        if self.config.output != "quiet":
            with printing():
                print("\n".join(self.found(study, objective, folder)), flush=True)
        if failures:
            raise failures[0]

    def opened(self, folder: Path, asked: Mapping[str, Any], better: Sequence[str]) -> "optuna.Study":
        """The study in `folder`, made if there is none.

        Args:
            folder: of the search.
            asked: what must be the same whenever it is continued.
            better: "higher" or "lower", of each objective.

        Raises:
            UserError: if another search lies there.
        """
        import optuna
        from optuna.storages.journal import JournalFileBackend

        self.storage = storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / STUDY)))
        begun = NAME in optuna.get_all_study_names(storage)
        study = optuna.load_study(storage=storage, study_name=NAME) if begun else None
        if study is None or ASKED not in study.user_attrs:  # new, or killed before it had begun
            directions: list[Any] = ["maximize" if each == "higher" else "minimize" for each in better]
            if begun:
                optuna.delete_study(storage=storage, study_name=NAME)
            study = optuna.create_study(storage=storage, study_name=NAME, directions=directions)
            study.set_user_attr(ASKED, asked)
        before = study.user_attrs[ASKED]
        remedy = "Repeat the command that began it, or take another folder by hydra.sweep.dir=FOLDER."
        for name, got in asked.items():
            was = before.get(name)
            require(got == was, f"{name} of the search in {folder} must stay {was!r}", got, remedy)
        return study

    def search(self, study: "optuna.Study", space: Space, fixed: Sequence[str]) -> list[Exception]:
        """Run until there have been enough trials; what runs of this process have raised."""
        import optuna

        running = optuna.trial.TrialState.RUNNING
        failures: list[Exception] = []
        batch = [each for each in study.trials if each.state is running]  # when it was killed: the last ones
        while True:
            while len(batch) < self.n_jobs and len(study.trials) < self.n_trials:
                values = proposal(study, space, self.seed)
                if values is None:
                    break
                self.validate_batch_is_legal([settings(fixed, values)])
                add_running(study, space, values)
                batch.append(study.trials[-1])
            if not batch:
                return failures
            failures += self.run(study, batch, fixed)
            batch = []

    def run(
        self, study: "optuna.Study", batch: Sequence["FrozenTrial"], fixed: Sequence[str]
    ) -> list[Exception]:
        """Run trials, all by one seed and then by the next; what their runs have raised."""
        import optuna

        found: dict[int, list[Any]] = {trial.number: [] for trial in batch}
        failures: list[Exception] = []
        for seed in self.seeds:
            if not (going := [trial for trial in batch if trial.number in found]):
                break
            words = [job(fixed, trial, seed) for trial in going]
            for trial, ended in zip(going, self.launcher.launch(words, going[0].number), strict=True):
                values = found.pop(trial.number)
                try:
                    values.append(ended.return_value)
                except Occupied as error:  # it goes on: the next command asks again
                    failures.append(error)
                except Exception as error:
                    failures.append(error)
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                else:
                    if not self.ended(study, trial.number, values):
                        found[trial.number] = values
        return failures

    def ended(self, study: "optuna.Study", number: int, values: Sequence[Any]) -> bool:
        """Tell Optuna what the runs of a trial have returned so far; whether that ends it."""
        from optuna.pruners import MedianPruner
        from optuna.trial import TrialState

        mean, storage = np.mean(values, axis=0).tolist(), self.storage
        if len(values) == len(self.seeds):
            study.tell(number, mean)
            return True
        if len(study.directions) > 1:  # of which no median is worse
            return False
        trial = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(NAME), number)
        storage.set_trial_intermediate_value(trial, len(values), mean)
        if stopped := MedianPruner(n_startup_trials=BY_CHANCE).prune(study, study.trials[number]):
            study.tell(number, state=TrialState.PRUNED)
        return stopped

    def plan(
        self, begun: Sequence["FrozenTrial"], space: Space, fixed: Sequence[str], objectives: int
    ) -> None:
        """Launch dry runs of the runs that are left, chosen by chance, and say what they cost at most."""
        import optuna

        from ood_diffusion.report.plan.work import Plan, spent, total
        from ood_diffusion.runs.sweep import PLAN

        study = optuna.create_study(directions=["minimize"] * objectives)
        study.add_trials(begun)
        while len(study.trials) < self.n_trials and (values := proposal(study, space, self.seed)) is not None:
            add_running(study, space, values)
        if waiting := [each for each in study.trials if not each.state.is_finished()]:
            hidden = ".dry_run/" if begun else ""  # beside the runs, not in them
            words = [job(fixed, each, seed, hidden) for each in waiting for seed in self.seeds]
            self.launcher.launch(words, waiting[0].number)
        files = Path(self.config.hydra.sweep.dir).rglob(PLAN)
        costs = spent((Plan.from_json(json.loads(each.read_text())) for each in files), False, False)
        most, runs = max((total([cost]).most for cost in costs), default=0), len(waiting) * len(self.seeds)
        if self.config.output == RICH:
            at_most = f"at most {number(most)} network calls each, {number(runs * most)} in all"
            with printing():
                print(
                    f"A search of {counted(runs, 'run')}: {at_most}. These were chosen by chance:", flush=True
                )

    def found(self, study: "optuna.Study", names: Sequence[str], folder: Path) -> list[str]:
        """The lines that end a search: its best runs, how to repeat them, how to search on."""
        import optuna

        trials, best = study.trials, list[Json]()
        state = optuna.trial.TrialState
        ended, stopped = (sum(each.state is way for each in trials) for way in (state.COMPLETE, state.PRUNED))
        for trial in study.best_trials if ended else ():
            command = RunFolder(folder / place(trial, self.seeds[0])).command
            values = dict(zip(names, trial.values, strict=True))
            best.append({"run": trial.number, "objective": values, "set": trial.params, "command": command})
        more = f"hydra.sweeper.n_trials={len(trials) + self.n_trials}"
        again = shlex.join(["ood-diffusion", "resume", os.path.relpath(folder), more])
        if self.config.output == "json":
            return [one_line({"search": str(folder), "runs": len(trials), "best": best, "continue": again})]
        what = "runs" if self.seeds == [None] else f"trials of {counted(len(self.seeds), 'seed')} each"
        lines = [f"{ended} of {len(trials)} {what} have returned {', '.join(names)}."]
        lines += [f"{stopped} more were worse than most and stopped early."] * bool(stopped)
        for each in best:
            scores = ", ".join(f"{name} {number(value)}" for name, value in each["objective"].items())
            lines += [f"Best: run {each['run']}, {scores}", f"  {each['command']}"]
        return [*lines, "To search on:", f"  {again}"]


def job(fixed: Sequence[str], trial: "FrozenTrial", seed: int | None, above: str = "") -> list[str]:
    """The overrides of a run of a trial."""
    own = [] if seed is None else [f"seed={seed}"]
    return [*settings(fixed, trial.params), *own, f"hydra.sweep.subdir={above}{place(trial, seed)}"]


def place(trial: "FrozenTrial", seed: int | None) -> str:
    """The folder of a run of a trial, in that of the search: the trial's number, and in it the run's seed."""
    return f"{trial.number}" if seed is None else f"{trial.number}/{seed}"


def add_running(study: "optuna.Study", space: Space, values: Values) -> None:
    """Begin a trial with these values."""
    import optuna

    state = optuna.trial.TrialState.RUNNING
    study.add_trial(optuna.create_trial(state=state, params=dict(values), distributions=dict(space)))
