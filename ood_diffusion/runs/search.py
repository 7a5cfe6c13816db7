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

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from ood_diffusion.checks import Json, UserError, require, require_integer
from ood_diffusion.extras import import_extra
from ood_diffusion.report.collect.cells import MULTIRUN, WITHOUT_EFFECT, CellFolder, key_of
from ood_diffusion.report.json_line import one_line
from ood_diffusion.report.wording import number
from ood_diffusion.runs.failure import LOCK, Occupied
from ood_diffusion.runs.objective import names_of
from ood_diffusion.runs.settings import RICH
from ood_diffusion.runs.space import Space, Spaced, Values, distribution, first_of, proposal, settings
from ood_diffusion.storage.atomic import atomic_write
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
    """Optuna proposes, the launcher runs, Optuna is told: until `n_trials` runs have ended.

    Args:
        n_trials: runs in all, failed ones and those of earlier commands among them.
        n_jobs: runs of one round, which are proposed and launched together.
        seed: of the proposals.
        params: of the sweep's file.

    Raises:
        UserError: for another value, or without Optuna.
    """

    def __init__(
        self, n_trials: int, n_jobs: int, seed: int, params: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(params)
        import_extra("optuna", "search").logging.set_verbosity(logging.ERROR)
        for name, value, least in (("n_trials", n_trials, 1), ("n_jobs", n_jobs, 1), ("seed", seed, 0)):
            require_integer(f"hydra.sweeper.{name}", value, least, f"Correct hydra.sweeper.{name}.")
        self.n_trials, self.n_jobs, self.seed = n_trials, n_jobs, seed

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
        space = {key: distribution(each) for key, each in swept.items()}
        folder = Path(self.config.hydra.sweep.dir)
        asked = {
            "objective": objective,
            "space": {key: str(each.input_line).partition("=")[2] for key, each in swept.items()},
            "fixed": [word for word in fixed if key_of(word).split(".")[0] not in WITHOUT_EFFECT],
        }
        first = {key: first_of(each) for key, each in swept.items()}
        if self.config.dry_run:
            there = (folder / STUDY).exists() and (folder / MULTIRUN).exists()
            begun = self.opened(folder, asked, fixed, first).trials if there else []
            self.plan(begun, space, fixed, len(objective))
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / LOCK).acquire(timeout=0)
        except Timeout:
            remedy = "Wait for its end, or take another folder by hydra.sweep.dir=FOLDER."
            raise UserError(f"a search is running in {folder}. {remedy}") from None
        with lock:
            study = self.opened(folder, asked, fixed, first)
            atomic_write(folder / MULTIRUN, OmegaConf.to_yaml(self.config).encode())
            failures = self.search(study, space, fixed)
        if self.config.output != "quiet":
            with printing():
                print("\n".join(self.found(study, objective, folder)), flush=True)
        if failures:
            raise failures[0]

    def opened(
        self, folder: Path, asked: Mapping[str, Any], fixed: Sequence[str], first: Values
    ) -> "optuna.Study":
        """The study in `folder`, made if there is none.

        Args:
            folder: of the search.
            asked: what must be the same whenever it is continued.
            fixed: the overrides of all runs.
            first: values of a run, whose parts tell which direction is better.

        Raises:
            UserError: if another search lies there.
        """
        import optuna
        from optuna.storages.journal import JournalFileBackend

        storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / STUDY)))
        begun = NAME in optuna.get_all_study_names(storage)
        study = optuna.load_study(storage=storage, study_name=NAME) if begun else None
        if study is None or ASKED not in study.user_attrs:  # new, or killed before it had begun
            better = [each.better for each in self.objective(settings(fixed, first))]
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
            words = [job(fixed, each) for each in batch]
            for trial, ended in zip(batch, self.launcher.launch(words, batch[0].number), strict=True):
                try:
                    value = ended.return_value
                except Occupied as error:  # it goes on: the next command asks again
                    failures.append(error)
                except Exception as error:
                    failures.append(error)
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial.number, value)
            batch = []

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
            self.launcher.launch([job(fixed, each, hidden) for each in waiting], waiting[0].number)
        files = Path(self.config.hydra.sweep.dir).rglob(PLAN)
        costs = spent((Plan.from_json(json.loads(each.read_text())) for each in files), False, False)
        most, runs = max((total([cost]).most for cost in costs), default=0), len(waiting)
        if self.config.output == RICH:
            at_most = f"at most {number(most)} network calls each, {number(runs * most)} in all"
            with printing():
                print(f"A search of {runs} runs: {at_most}. These were chosen by chance:", flush=True)

    def found(self, study: "optuna.Study", names: Sequence[str], folder: Path) -> list[str]:
        """The lines that end a search: its best runs, how to repeat them, how to search on."""
        trials, best = study.trials, list[Json]()
        ended = [each for each in trials if each.values is not None]
        for trial in study.best_trials if ended else ():
            command = CellFolder(folder / str(trial.number)).command
            values = dict(zip(names, trial.values, strict=True))
            best.append({"run": trial.number, "objective": values, "set": trial.params, "command": command})
        more = f"hydra.sweeper.n_trials={len(trials) + self.n_trials}"
        again = shlex.join(["ood-diffusion", "resume", os.path.relpath(folder), more])
        if self.config.output == "json":
            return [one_line({"search": str(folder), "runs": len(trials), "best": best, "continue": again})]
        lines = [f"{len(ended)} of {len(trials)} runs have returned {', '.join(names)}."]
        for each in best:
            scores = ", ".join(f"{name} {number(value)}" for name, value in each["objective"].items())
            lines += [f"Best: run {each['run']}, {scores}", f"  {each['command']}"]
        return [*lines, "To search on:", f"  {again}"]


def job(fixed: Sequence[str], trial: "FrozenTrial", above: str = "") -> list[str]:
    """The overrides of a trial's run, whose folder is its number."""
    return [*settings(fixed, trial.params), f"hydra.sweep.subdir={above}{trial.number}"]


def add_running(study: "optuna.Study", space: Space, values: Values) -> None:
    """Begin a trial with these values."""
    import optuna

    state = optuna.trial.TrialState.RUNNING
    study.add_trial(optuna.create_trial(state=state, params=dict(values), distributions=dict(space)))
