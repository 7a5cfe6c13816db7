"""`objective` and `sweeper=optuna`: what a run returns; how a search chooses, launches, ends and goes on."""

import json
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ood_diffusion.checks import UserError
from ood_diffusion.figures import Figure
from ood_diffusion.report.results import SCHEMA
from ood_diffusion.runs import search as module
from ood_diffusion.runs.failure import LOCK, Occupied
from ood_diffusion.runs.objective import COST, chosen, names_of, returned
from ood_diffusion.runs.outcome import RunFailure
from ood_diffusion.runs.search import Search
from ood_diffusion.runs.space import distribution, proposal, size
from tests.cli import MEANS, QUICK, TINY, results, run_cli

FID = Figure("metrics/sets/samples/fid", better="lower")
DENSITY = Figure("metrics/sets/samples/density", better="higher")
NOVELTY = Figure("metrics/novelty/ratio", "novelty")
FIGURES = [FID, DENSITY, NOVELTY, *COST]


def test_an_objective_is_a_name_or_a_path_and_knows_its_direction() -> None:
    asked = ["density", "metrics.sets.samples.fid", "cost/network_calls/sample"]
    assert [(each.path, each.better) for each in chosen(asked, FIGURES)] == [
        (DENSITY.path, "higher"),
        (FID.path, "lower"),
        ("cost/network_calls/sample", "lower"),
    ]
    assert chosen(None, FIGURES) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fit", "Did you mean fid"),
        ("metrics.samples.fid", "Did you mean metrics/sets/samples/fid"),
        ("novelty", "of which less or more is better"),
        ("network_calls", "of which less or more is better"),  # several numbers
    ],
)
def test_a_name_that_is_no_objective_is_refused_with_those_that_resemble_it(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        chosen(name, FIGURES)


@pytest.mark.parametrize("setting", [3, [1], [""], ["fid", "fid"], {"fid": 1}])
def test_an_objective_is_names(setting: Any) -> None:
    with pytest.raises(UserError, match="objective must be the names of figures"):
        names_of(setting)


def test_a_run_returns_what_its_results_hold(tmp_path: Path) -> None:
    found = {
        "schema": SCHEMA,
        "figures": [each.as_json() for each in FIGURES],
        "cost": {"seconds": {"x": 2.5}},
    }
    (tmp_path / "results.json").write_text(json.dumps(found))
    assert returned("cost/seconds/x", tmp_path) == 2.5
    assert returned(["cost.seconds.x"], tmp_path) == 2.5
    assert returned(None, tmp_path) is None
    with pytest.raises(RunFailure, match="no finite number for fid"):
        returned(["cost.seconds.x", "fid"], tmp_path)


def override(word: str) -> Any:
    return OverridesParser.create().parse_override(word)


@pytest.mark.parametrize(
    ("word", "found", "n"),
    [
        ("level=choice(500,300)", IntDistribution(300, 500, step=200), 2),
        ("level=300,500,1000", CategoricalDistribution((300, 500, 1000)), 3),
        ("eta=0,0.25,0.5", FloatDistribution(0, 0.5, step=0.25), 3),
        ("prior=span,shrunk,span", CategoricalDistribution(("span", "shrunk")), 2),
        ("compile=true,false", CategoricalDistribution((True, False)), 2),
        ("stages=choice([invert],[sample])", CategoricalDistribution(("[invert]", "[sample]")), 2),
        ("steps=range(8,17,4)", IntDistribution(8, 16, step=4), 3),
        ("steps=range(16,7,-4)", IntDistribution(8, 16, step=4), 3),
        ("eta=range(0,0.35,0.1)", FloatDistribution(0, 0.3, step=0.1), 4),
        ("eta=interval(0,1)", FloatDistribution(0, 1), math.inf),
        ("seed=int(interval(0,9))", IntDistribution(0, 9), 10),
        ("x=tag(log,interval(0.01,1))", FloatDistribution(0.01, 1, log=True), math.inf),
    ],
)
def test_hydras_grammar_in_the_words_of_optuna(word: str, found: Any, n: float) -> None:
    made = distribution(override(word))
    assert made == found and size({"x": made}) == n


@pytest.mark.parametrize("word", ["eta=range(1,1)", "eta=interval(1,0)", "x=tag(log,interval(0,1))"])
def test_a_space_without_values_is_refused(word: str) -> None:
    with pytest.raises(UserError, match=r"Correct it\."):
        distribution(override(word))


SPACE = {"a": CategoricalDistribution((0, 1, 2)), "b": IntDistribution(0, 2)}


def test_nothing_is_proposed_twice_until_everything_was() -> None:
    study, seen = optuna.create_study(), []
    while (values := proposal(study, SPACE, seed=0)) is not None:
        seen.append((values["a"], values["b"]))
        study.add_trial(
            optuna.create_trial(value=sum(values.values()), params=values, distributions={**SPACE})
        )
    assert sorted(seen) == sorted(product(range(3), repeat=2))
    assert seen != sorted(seen)


class Stopped(BaseException):
    """As by Ctrl-C."""


def parabola(values: dict[str, float]) -> float:
    return (values["x"] - 0.3) ** 2 + values["k"]


class FakeLauncher:
    """Runs nothing: returns `task` of the settings, and remembers the rounds."""

    def __init__(self, task: Callable[[dict[str, float]], Any], stop_at: int = -1) -> None:
        self.task, self.stop_at = task, stop_at
        self.rounds: list[list[int]] = []
        self.words: dict[int, list[str]] = {}
        self.all: list[Sequence[str]] = []

    def launch(self, words: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        self.all += words
        self.rounds.append([*range(first, first + len(words))])
        return [self.run(number, each) for number, each in enumerate(words, first)]

    def run(self, number: int, words: Sequence[str]) -> JobReturn:
        self.words[number] = [*words]
        if number == self.stop_at:
            raise Stopped
        done = JobReturn(overrides=words, status=JobStatus.COMPLETED)
        values = {
            key: float(value)
            for key, _, value in (word.partition("=") for word in words)
            if key in ("x", "k", "seed")
        }
        try:
            done.return_value = self.task(values)
        except ValueError as error:
            done.return_value, done.status = error, JobStatus.FAILED
        return done


PARAMS = {"x": "interval(0,1)", "k": "choice(0,1,2)"}


def searched(
    folder: Path,
    launcher: FakeLauncher,
    *words: str,
    n_trials: int = 8,
    n_jobs: int = 1,
    objective: Any = "fid",
    output: str = "quiet",
    dry_run: bool = False,
    seeds: Any = None,
) -> Any:
    """A search of `PARAMS` in `folder` with the launcher, and the study that it leaves."""
    sweeper = Search(n_trials, n_jobs, 0, PARAMS, seeds)
    hydra = {
        "sweep": {"dir": str(folder)},
        "overrides": {"hydra": ["hydra.mode=MULTIRUN"], "task": [*words]},
        "runtime": {"choices": {}},
    }
    settings = {"objective": objective, "dry_run": dry_run, "output": output, "hydra": hydra}
    sweeper.config = OmegaConf.create(settings)
    sweeper.launcher = launcher  # type: ignore[assignment]
    loader = SimpleNamespace(load_sweep_config=lambda **_: None)
    sweeper.hydra_context = SimpleNamespace(config_loader=loader)  # type: ignore[assignment]
    sweeper.objective = lambda first: chosen(objective, FIGURES)  # type: ignore[method-assign]
    sweeper.sweep([*words])
    return study_in(folder)


def study_in(folder: Path) -> optuna.Study:
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / module.STUDY)))
    return optuna.load_study(study_name=module.NAME, storage=storage)


def test_a_search_finds_more_than_chance_and_numbers_its_folders(tmp_path: Path) -> None:
    launcher = FakeLauncher(parabola)
    study = searched(tmp_path, launcher, "domain=radiation_sim", n_trials=16)
    assert launcher.rounds == [[i] for i in range(16)]
    assert all(words[0] == "domain=radiation_sim" for words in launcher.words.values())
    late = [each.value for each in study.trials[8:]]
    assert sum(late) / 8 < 0.5  # by chance: 1.12 on average
    assert study.best_value < 0.01 and study.best_params["k"] == 0


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(n_jobs: int, tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole", launcher := FakeLauncher(parabola), n_jobs=n_jobs)
    stopping = FakeLauncher(parabola, stop_at=5)
    with pytest.raises(Stopped):
        searched(tmp_path / "parts", stopping, n_jobs=n_jobs)
    unfinished = [
        each.number for each in study_in(tmp_path / "parts").trials if each.state is TrialState.RUNNING
    ]
    assert 5 in unfinished
    again = FakeLauncher(parabola)
    parts = searched(tmp_path / "parts", again, n_jobs=n_jobs)
    assert again.rounds == launcher.rounds[5 // n_jobs :] and again.rounds[0] == unfinished
    assert [(each.params, each.values) for each in parts.trials] == [
        (each.params, each.values) for each in whole.trials
    ]
    nothing = FakeLauncher(parabola)
    searched(tmp_path / "parts", nothing, n_jobs=n_jobs)
    assert nothing.rounds == []
    more = FakeLauncher(parabola)
    searched(tmp_path / "parts", more, "output=json", n_jobs=n_jobs, n_trials=10)
    assert sorted(more.words) == [8, 9]


@pytest.mark.parametrize(
    ("words", "changed"), [((), "objective"), (("eta=1",), "fixed"), (("k=choice(0,1)",), "space")]
)
def test_another_search_in_the_same_folder_is_refused(
    words: tuple[str, ...], changed: str, tmp_path: Path
) -> None:
    searched(tmp_path, FakeLauncher(parabola), n_trials=1)
    objective = "density" if changed == "objective" else "fid"
    with pytest.raises(UserError, match=f"{changed} of the search in .* must stay .*hydra.sweep.dir=FOLDER"):
        searched(tmp_path, launcher := FakeLauncher(parabola), *words, objective=objective)
    assert launcher.rounds == []


def test_a_dry_run_plans_what_is_left_and_leaves_the_study_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    searched(tmp_path, FakeLauncher(parabola), n_trials=3)
    launcher = FakeLauncher(parabola)
    study = searched(tmp_path, launcher, n_trials=5, dry_run=True, output="rich")
    assert launcher.rounds == [[3, 4]] and len(study.trials) == 3
    assert [words[-1] for words in launcher.all] == [f"hydra.sweep.subdir=.dry_run/{n}" for n in (3, 4)]
    assert "A search of 2 runs" in capsys.readouterr().out


def test_a_search_that_runs_is_left_alone(tmp_path: Path) -> None:
    with FileLock(tmp_path / LOCK), pytest.raises(UserError, match="a search is running in"):
        searched(tmp_path, launcher := FakeLauncher(parabola))
    assert launcher.rounds == [] and not (tmp_path / module.STUDY).exists()


def test_a_run_that_another_process_still_runs_has_not_failed(tmp_path: Path) -> None:
    """As a job that outlives the search which has submitted it."""
    busy = {1}

    def task(values: dict[str, float]) -> float:
        if 1 in busy and len(launcher.words) == 2:
            raise Occupied("another process runs there")
        return parabola(values)

    launcher = FakeLauncher(task)
    with pytest.raises(Occupied):
        searched(tmp_path, launcher, n_trials=3)
    assert [each.state.name for each in study_in(tmp_path).trials] == ["COMPLETE", "RUNNING", "COMPLETE"]
    busy.clear()
    again = FakeLauncher(parabola)
    study = searched(tmp_path, again, n_trials=5, n_jobs=2)
    folders = [words[-1].partition("subdir=")[2] for words in again.all]
    assert folders == ["1", "3", "4"] and {each.state.name for each in study.trials} == {"COMPLETE"}


def test_a_search_killed_at_its_birth_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / module.STUDY).touch()
    assert len(searched(tmp_path / "empty", FakeLauncher(parabola), n_trials=1).trials) == 1
    (tmp_path / "named").mkdir()
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "named" / module.STUDY)))
    optuna.create_study(storage=storage, study_name=module.NAME)
    study = searched(tmp_path / "named", FakeLauncher(parabola), n_trials=1, objective="density")
    assert study.direction.name == "MAXIMIZE" and len(study.trials) == 1


def test_what_changes_no_result_may_change_when_it_goes_on(tmp_path: Path) -> None:
    searched(tmp_path, FakeLauncher(parabola), "fail_fast=false", "batch_size=32", n_trials=1)
    how = ["fail_fast=true", "batch_size=8", "trainer=ddp", "logger=none", "store_mode=fresh"]
    assert len(searched(tmp_path, FakeLauncher(parabola), *how, n_trials=2).trials) == 2


def test_runs_that_fail_are_told_and_raised_in_the_end(tmp_path: Path) -> None:
    def task(values: dict[str, float]) -> float:
        if values["k"] == 1:
            raise ValueError(f"no such k at x={values['x']}")
        return parabola(values)

    with pytest.raises(ValueError, match="no such k"):
        searched(tmp_path, FakeLauncher(task))
    states = {each.params["k"]: each.state for each in study_in(tmp_path).trials}
    assert states == {0: TrialState.COMPLETE, 1: TrialState.FAIL, 2: TrialState.COMPLETE}
    assert len(study_in(tmp_path).trials) == 8


def test_a_trial_that_is_worse_than_most_ends_after_its_first_seeds(tmp_path: Path) -> None:
    def rough(values: Any) -> float:  # so that proposals, which learn, are no better than chance
        return math.sin(99 * values["x"])

    launcher = FakeLauncher(lambda values: rough(values) + values["seed"] / 10)
    study = searched(tmp_path / "whole", launcher, n_trials=16, seeds=[0, 1, 2])
    folders = [words[-1].partition("subdir=")[2] for words in launcher.all]
    complete: list[float] = []
    for trial in study.trials:
        exact = rough(trial.params)
        mine = [name for name in folders if name.startswith(f"{trial.number}/")]
        worse = len(complete) >= 5 and exact > np.median(complete)  # the others' after the same seed
        assert mine == [f"{trial.number}/{seed}" for seed in range(1 if worse else 3)]
        assert trial.state is (TrialState.PRUNED if worse else TrialState.COMPLETE)
        if not worse:
            complete.append(exact)
            assert trial.value == pytest.approx(exact + 0.1), "the mean over seeds"
    assert 5 <= len(complete) < 16
    stopping = FakeLauncher(launcher.task, stop_at=7)
    with pytest.raises(Stopped):
        searched(tmp_path / "parts", stopping, n_trials=16, seeds=[0, 1, 2])
    again = searched(tmp_path / "parts", FakeLauncher(launcher.task), n_trials=16, seeds=[0, 1, 2])
    assert [(each.params, each.state) for each in again.trials] == [
        (each.params, each.state) for each in study.trials
    ]
    with pytest.raises(UserError, match=r"seeds of the search in .* must stay \[0, 1, 2\]"):
        searched(tmp_path / "parts", launcher, n_trials=17, seeds=[0])


def test_several_objectives_are_averaged_and_never_stopped(tmp_path: Path) -> None:
    task = FakeLauncher(lambda values: (values["x"], values["seed"]))
    study = searched(tmp_path, task, objective=["fid", "density"], seeds=[1, 4])
    assert [each.values for each in study.trials] == [[each.params["x"], 2.5] for each in study.trials]


def test_higher_can_be_better_and_objectives_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = FakeLauncher(lambda values: (values["x"], -values["k"]))
    study = searched(tmp_path, task, objective=["fid", "density"], output="json")
    assert [each.name for each in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    printed = json.loads(capsys.readouterr().out)
    assert printed["runs"] == 8 and printed["best"]
    assert all([*each["objective"]] == ["fid", "density"] for each in printed["best"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"objective": None}, "sweeper=optuna needs an objective, but got None"),
        ({"n_trials": 0}, "hydra.sweeper.n_trials must be an integer of at least 1"),
        ({"seeds": [0, -1]}, "each of hydra.sweeper.seeds must be an integer of at least 0"),
        ({"n_jobs": "2"}, "hydra.sweeper.n_jobs must be an integer of at least 1"),
    ],
)
def test_what_no_search_can_do_without(settings: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told):
        searched(tmp_path, FakeLauncher(parabola), **settings)


def test_nothing_to_search_through_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="need settings with several values"):
        searched(tmp_path, FakeLauncher(parabola), "x=1", "k=0")


def test_a_seed_beside_seeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"seed must be left out where hydra\.sweeper\.seeds are given"):
        searched(tmp_path, FakeLauncher(parabola), "seed=3", seeds=[0, 1])


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r'pip install "ood-diffusion\[search\]"'):
        Search(1, 1, 0)


SMALL = [*TINY, *QUICK, *MEANS, "control=[twin]", "metric=[fid]", "stages=[invert,sample,evaluate]"]


def test_the_command_searches_and_goes_on_and_collect_reads_it(tmp_path: Path) -> None:
    command = [
        "sweeper=optuna",
        *SMALL,
        "objective=fid",
        "eta=interval(0,1)",
        "level=300,500",
        r"hydra.sweep.dir='it\'s'",
    ]
    assert run_cli(tmp_path, *command, "hydra.sweeper.n_trials=2", "output=quiet").returncode == 0
    more = ["hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2", "output=rich", "batch_size=6"]
    done = run_cli(tmp_path, "resume", "it's", *more)
    assert done.returncode == 0, done.stderr
    study = study_in(tmp_path / "it's")
    fids = {}
    for trial in study.trials:
        (found,) = results(tmp_path / "it's" / str(trial.number))
        used = found["coordinates"]
        assert (used["eta"], used["level"]) == (trial.params["eta"], trial.params["level"])
        fids[trial.number] = found["metrics"]["sets"]["samples"]["fid"]
    assert {each.number: each.value for each in study.trials} == pytest.approx(fids)
    best = min(fids, key=lambda number: fids[number])
    assert f"3 of 3 runs have returned fid.\nBest: run {best}, fid" in done.stdout
    assert f"eta={study.best_params['eta']}" in done.stdout.splitlines()[-3]
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words == ["ood-diffusion", "resume", "it's", "hydra.sweeper.n_trials=6"]
    assert run_cli(tmp_path, "collect", "it's").stdout.count("3 of 3 runs are complete") == 1


def test_the_dry_run_of_a_search_bounds_its_calls(tmp_path: Path) -> None:
    done = run_cli(
        tmp_path, "sweeper=optuna", *SMALL, "objective=fid", "steps=range(2,4)", "hydra.sweeper.n_trials=5",
        "dry_run=true",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "A search of 2 runs: at most 60 network calls each, 120 in all." in done.stdout  # 3 × (12 + 8)
    assert ", 2 runs" in done.stdout and not list(tmp_path.rglob(module.STUDY))


def test_an_unknown_objective_ends_a_search_before_compute(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "sweeper=optuna", *SMALL, "objective=fidd", "eta=0,1")
    assert done.returncode == 2 and "'fidd'. Did you mean fid" in done.stderr
    assert not any(tmp_path.iterdir()), "nothing is left of a search that was refused"


def test_a_single_run_refuses_an_unknown_objective(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *SMALL, "objective=kid_minus_twin")
    assert done.returncode == 2 and "Did you mean" in done.stderr and not results(tmp_path)


def wandb_file(folder: Path, *words: str) -> Any:
    done = run_cli(folder, "sweeper=wandb", *words)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def test_wandb_files_come_from_the_same_space(tmp_path: Path) -> None:
    words = ["+sweep=eta", "objective=fid", "domain=radiation_sim"]
    found = wandb_file(tmp_path, *words)
    assert wandb_file(tmp_path, *words, "dry_run=true") == found  # its runs are to compute
    by_hand = yaml.safe_load((Path(__file__).parents[2] / "sweeps" / "wandb" / "eta.yml").read_text())
    same = ("project", "name", "method", "metric", "parameters", "program")
    assert {key: found[key] for key in same} == {key: by_hand[key] for key in same}
    assert found["command"][2:] == ["+sweep=eta", "domain=radiation_sim", "hydra.mode=RUN"]
    found = wandb_file(
        tmp_path,
        *SMALL,
        "hydra.sweeper.method=bayes",
        "objective=fid",
        "eta=interval(0,1)",
        "prior=span,shrunk",
    )
    assert found["parameters"] == {
        "eta": {"distribution": "uniform", "min": 0, "max": 1},
        "prior": {"values": ["span", "shrunk"]},
    }
    assert found["method"] == "bayes" and not results(tmp_path)
