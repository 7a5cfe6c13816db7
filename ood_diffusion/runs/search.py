"""Sweepers of ours: a search, in which Optuna chooses the runs, and a file for W&B, which hands them out.

Both read a sweep as Hydra's own sweeper does (values of the sweep's file, then those of the command line), so
that one space serves a grid, a search and W&B. A search proposes by ask and tell: it launches a round of runs
with any launcher, tells Optuna what they returned, and keeps all of it in a file beside the runs.
"""

import json
import logging
import math
import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from omegaconf import OmegaConf, open_dict

from ood_diffusion.checks import Json, UserError, require, require_choice, require_integer
from ood_diffusion.extras import import_extra
from ood_diffusion.figures import Figure
from ood_diffusion.report.collect.cells import (
    ALONE,
    MULTIRUN,
    WITHOUT_EFFECT,
    CellFolder,
    config_dirs,
    key_of,
)
from ood_diffusion.report.json_line import one_line
from ood_diffusion.report.wording import number
from ood_diffusion.runs.failure import LOCK, Occupied
from ood_diffusion.runs.objective import names_of
from ood_diffusion.runs.settings import RICH
from ood_diffusion.runs.swept import Swept
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.terminal import printing

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

STUDY = "study.log"
"""In the folder of a search: Optuna's journal of it, which its dashboard reads as well."""
NAME = "search"
"""Of the only study in that file."""
ASKED = "asked"
"""The study's attribute that holds the objective, the space and the settings of all its runs."""
BY_CHANCE = 5
"""Runs at the beginning of a search that are chosen by chance."""
DRAWS = 4
"""How often Optuna may propose what has been tried, each time as if it ran, before chance proposes."""
METHODS = ("grid", "random", "bayes")

Space = Mapping[str, "optuna.distributions.BaseDistribution"]
"""Key of an override -> the values that it may have."""
Values = Mapping[str, Any]
"""Key of an override -> its value."""


class Spaced(Swept):
    """What both have in common: the command, as a space and the settings of all runs."""

    def parsed(self, arguments: Sequence[str]) -> tuple[dict[str, Override], list[str]]:
        """What is swept, by key, and the other words; a later word replaces one of the same key.

        Raises:
            UserError: if nothing is swept.
        """
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        found = {each.get_key_element(): each for each in parser.parse_overrides(self.words(arguments))}
        swept = {key: each for key, each in found.items() if each.is_sweep_override()}
        remedy = "Add some, such as level=300,500,700 'eta=interval(0,1)'."
        require(bool(swept), "a search and a W&B sweep need settings with several values", {}, remedy)
        return swept, [str(each.input_line) for each in found.values() if not each.is_sweep_override()]

    def objective(self, first: Sequence[str]) -> list[Figure]:
        """The figures that are the objective, from the parts of one run, assembled as for a dry run.

        Args:
            first: the overrides of that run.

        Raises:
            UserError: for settings that no run can have, or an objective that it does not measure.
        """
        from ood_diffusion.runs.configuration import GROUPS
        from ood_diffusion.runs.dry_run import assembled
        from ood_diffusion.runs.objective import chosen, declared

        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(first))
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(cfg)
        try:
            names = {group: str(cfg.hydra.runtime.choices[group]) for group in GROUPS}
            with open_dict(cfg):
                del cfg["hydra"]
            run = assembled(cfg, names, Path(self.config.hydra.sweep.dir))
        finally:
            HydraConfig.instance().cfg = before
        return chosen(cfg.objective, declared(run))


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


class SweepFile(Spaced):
    """Prints what ``wandb sweep`` takes, and runs nothing.

    Args:
        method: "grid", "random" or "bayes", by which W&B chooses the runs.
        params: of the sweep's file.
    """

    def __init__(self, method: str, params: Mapping[str, str] | None = None) -> None:
        super().__init__(params)
        require_choice("hydra.sweeper.method", method, METHODS)
        self.method = method

    def sweep(self, arguments: list[str]) -> None:
        """Print the file.

        Raises:
            UserError: for what W&B cannot hand out.
        """
        swept, fixed = self.parsed(arguments)
        names = names_of(self.config.objective)
        require(
            len(names) == 1 or (not names and self.method != "bayes"),
            "a W&B sweep by method=bayes needs one objective, one by another method at most one",
            self.config.objective,
            "Set objective to the name of one figure.",
        )
        question = self.config.hydra.runtime.choices.get("sweep")
        given = {"project": self.config.logger.get("project"), "name": question, "method": self.method}
        found: Json = {key: value for key, value in given.items() if value}
        if names:
            first = {key: first_of(each) for key, each in swept.items()}
            (figure,) = self.objective(settings(fixed, first))
            goal = "maximize" if figure.better == "higher" else "minimize"
            found["metric"] = {"name": figure.path, "goal": goal}
        found["parameters"] = {key: self.parameter(each) for key, each in swept.items()}
        kept = [word for word in fixed if not word.startswith(("sweeper=", "objective="))]
        own = config_dirs(self.config.hydra.runtime)
        command = ["${program}", *own, "${args_no_hyphens}", *kept, ALONE]
        found |= {"program": "ood-diffusion", "command": command}
        print(yaml.safe_dump(found, sort_keys=False), end="", flush=True)

    def parameter(self, swept: Override) -> dict[str, Any]:
        """The values of a setting, in W&B's words."""
        value = swept.value()
        if not isinstance(value, IntervalSweep):
            return {"values": choices(swept)}
        remedy = "Write choice(…) or range(…), or set hydra.sweeper.method=bayes."
        require(self.method != "grid", "a grid needs values that can be counted", swept.input_line, remedy)
        kind = "int_uniform" if isinstance(value.start, int) else "uniform"
        kind = "log_uniform_values" if "log" in value.tags else kind
        return {"distribution": kind, "min": value.start, "max": value.end}


def choices(swept: Override) -> list[Any]:
    """The values of a setting that can be counted, each once: numbers, and text in Hydra's grammar.

    Raises:
        UserError: if there are none.
    """
    values = list(dict.fromkeys(swept.sweep_iterator(Transformer.encode)))
    require(bool(values), "a setting that is searched must have values", swept.input_line, "Correct it.")
    return values


def first_of(swept: Override) -> Any:
    """The first value of a setting, or the least."""
    value = swept.value()
    return value.start if isinstance(value, IntervalSweep) else choices(swept)[0]


def distribution(swept: Override) -> "optuna.distributions.BaseDistribution":
    """The values of a setting, in Optuna's words: numbers of equal distances are in order, others are not."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = swept.value()
    if isinstance(value, IntervalSweep):
        low, high, by_factors = float(value.start or 0), float(value.end or 0), "log" in value.tags
        rule = "an interval must go from a number to a larger one (by tag(log, …): from above 0)"
        require(low < high and (low > 0 or not by_factors), rule, swept.input_line, "Correct it.")
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log=by_factors)
        return FloatDistribution(low, high, log=by_factors)
    values = choices(swept)
    numbers: list[Any] = sorted(each for each in values if type(each) in (int, float))
    steps = {rounded(float(b - a), 6) for a, b in pairwise(numbers)}
    if len(steps) != 1 or len(numbers) < len(values):
        return CategoricalDistribution(values)
    low, high = numbers[0], numbers[-1]
    if all(isinstance(each, int) for each in numbers):
        return IntDistribution(low, high, step=int(*steps))
    return FloatDistribution(low, high, step=float(*steps))


def proposal(study: "optuna.Study", space: Space, seed: int) -> dict[str, Any] | None:
    """What the next run of a search should try, by a Gaussian process; None: nothing is left.

    It depends on the seed and on the study alone, so that a search that was interrupted goes on as if it had
    not been. Nothing is proposed twice, as the sampler would where values can be counted.

    Args:
        study: the trials so far, running ones among them.
        space: the values.
        seed: of chance.
    """
    import optuna

    tried = [each.params for each in study.trials]
    if len(tried) >= size(space):
        return None
    seed += len(tried)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: Any = optuna.samplers.GPSampler(seed=seed, n_startup_trials=BY_CHANCE)
    draft = optuna.create_study(directions=study.directions, sampler=sampler)
    draft.add_trials(study.trials)
    for draws in count(1):
        trial = draft.ask(dict(space))
        values = {key: tidy(value, space[key]) for key, value in trial.params.items()}
        if values not in tried:
            return values
        if draws == DRAWS:
            draft.sampler = optuna.samplers.RandomSampler(seed=seed)
    raise AssertionError


def size(space: Space) -> float:
    """How many combinations there are; infinite where a number may be any of an interval."""
    from optuna.distributions import CategoricalDistribution

    def values(of: Any) -> float:
        if isinstance(of, CategoricalDistribution):
            return len(of.choices)
        return math.inf if of.step is None else round((of.high - of.low) / of.step) + 1

    return math.prod(values(each) for each in space.values())


def tidy(value: Any, of: Any) -> Any:
    """A proposed value with no more digits than anybody would type."""
    if not isinstance(value, float) or not hasattr(of, "low"):
        return value
    return min(max(rounded(value, 6 if of.step is None else 12), of.low), of.high)


def rounded(value: Any, digits: int) -> Any:
    """A number with so many significant digits."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def settings(fixed: Sequence[str], values: Values) -> list[str]:
    """The overrides of one run."""
    return [*fixed, *(f"{key}={text(value)}" for key, value in values.items())]


def job(fixed: Sequence[str], trial: "FrozenTrial", above: str = "") -> list[str]:
    """The overrides of a trial's run, whose folder is its number."""
    return [*settings(fixed, trial.params), f"hydra.sweep.subdir={above}{trial.number}"]


def text(value: Any) -> str:
    """A value as it stands in an override."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def add_running(study: "optuna.Study", space: Space, values: Values) -> None:
    """Begin a trial with these values."""
    import optuna

    state = optuna.trial.TrialState.RUNNING
    study.add_trial(optuna.create_trial(state=state, params=dict(values), distributions=dict(space)))
