"""Which stages run, in which order, what they may return, and what happens when something has gone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.report.results import Results
from ood_diffusion.runs.execute import OURS, ROUNDS, run_in_order, run_stage
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.storage.store import Gone
from tests.cli import QUICK
from tests.runs.test_run import made


@dataclass(frozen=True)
class Mine(Stage):
    """Returns what it is told to."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    sections: Mapping[str, Any]

    def __call__(self, run: Run, earlier: Results) -> Mapping[str, Any]:
        return self.sections


@dataclass(frozen=True)
class Losing(Mine):
    """Finds, so many times, that something has gone."""

    times: list[int]

    def __call__(self, run: Run, earlier: Results) -> Mapping[str, Any]:
        if self.times[0] > 0:
            self.times[0] -= 1
            raise Gone("gone")
        return self.sections


def own(name: str) -> tuple[str, ...]:
    return (f"+stage.{name}._target_={__name__}.Mine", f"+stage.{name}.sections={{{name}: 1}}")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("stages"), *QUICK, "stages=[inspect]")


@pytest.mark.parametrize(
    ("asked", "in_order"),
    [
        ("evaluate,sample,invert", ["invert", "sample", "evaluate"]),
        ("report,evaluate,reconstruct", ["reconstruct", "evaluate", "report"]),
        ("report,mine,invert", ["invert", "mine", "report"]),
        ("invert,invert", ["invert"]),
    ],
)
def test_stages_run_in_the_order_of_the_configuration(
    asked: str, in_order: list[str], tmp_path: Path
) -> None:
    """One's own after them, and `report` after all."""
    assert list(made(tmp_path, *QUICK, *own("mine"), f"stages=[{asked}]").stages) == in_order


@pytest.mark.parametrize("section", sorted(OURS))
def test_a_section_of_the_runs_own_is_refused(section: str, run: Run) -> None:
    results = Results(versions={})
    taking = replace(run, stages={"mine": Mine({"fine": 1, section: 2})})
    with pytest.raises(UserError, match=rf"the stage mine must add sections of its own.*\['{section}'\]"):
        run_stage(taking, "mine", results)
    assert results == {"versions": {}}


def test_each_stage_sees_what_the_ones_before_it_found(run: Run) -> None:
    seen: list[dict[str, Any]] = []

    @dataclass(frozen=True)
    class Looking(Mine):
        def __call__(self, run: Run, earlier: Results) -> Mapping[str, Any]:
            seen.append(dict(earlier))
            return self.sections

    stages = {"a": Looking({"x": 1}), "b": Looking({"y": 2}), "c": Looking({"x": 3})}
    accounts, results = list[dict[str, Any]](), Results()
    run_in_order(replace(run, stages=stages), stages, results, lambda last: accounts.append(dict(results)))
    assert seen == accounts == [{}, {"x": 1}, {"x": 1, "y": 2}]
    assert results == {"x": 3, "y": 2}


def counted(run: Run, times: int, ranks: int = 1) -> list[str]:
    """The stages that ended, in order, if the second of three finds so many times that something has gone."""
    workspace = replace(run.workspace, ranks=cast(Ranks, SimpleNamespace(size=ranks)))
    ended: list[str] = []

    @dataclass(frozen=True)
    class Noting(Losing):
        def __call__(self, run: Run, earlier: Results) -> Mapping[str, Any]:
            found = super().__call__(run, earlier)
            ended.extend(found)
            return found

    stages = {name: Noting({name: 1}, [times if name == "b" else 0]) for name in "abc"}
    run_in_order(replace(run, stages=stages, workspace=workspace), stages, Results(), lambda last: None)
    return ended


def test_where_something_has_gone_all_begins_again(run: Run) -> None:
    assert counted(run, 0) == ["a", "b", "c"]
    assert counted(run, 2) == ["a", "a", "a", "b", "c"]


def test_not_for_ever_and_not_while_other_ranks_compute(run: Run) -> None:
    assert counted(run, ROUNDS - 1) == ["a"] * ROUNDS + ["b", "c"]
    with pytest.raises(Gone):
        counted(run, ROUNDS)
    with pytest.raises(Gone):
        counted(run, 1, ranks=2)
