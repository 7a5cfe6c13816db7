"""A figure's declaration: it checks itself, and comes back from JSON as it went in."""

import json
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_object

from ood_diffusion.checks import UserError
from ood_diffusion.figures import EVERYWHERE, SURFACES, Figure, at, directions, require_one_meaning
from ood_diffusion.metrics.fid import FID
from ood_diffusion.metrics.prdc import PRDC
from ood_diffusion.report.older import METRICS, OTHERS
from ood_diffusion.runs.configuration import conf_folder

STAGES = [
    yaml.safe_load(path.read_text())["_target_"] for path in Path(conf_folder(), "stage").glob("*.yaml")
]
DECLARED = [
    *(figure for kind in (FID, PRDC) for figure in kind.figures),
    *(figure for stage in STAGES for figure in get_object(stage).figures),
    *METRICS,
    *OTHERS,
    Figure("mine/share", "other", label="word", unit="share", spread="mine/sd", of="references", surfaces=()),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("figure", DECLARED, ids=lambda figure: figure.path)
def test_it_comes_back_from_json(figure: Figure) -> None:
    assert Figure.from_json(json.loads(json.dumps(figure.as_json()))) == figure


def test_json_holds_what_is_no_default() -> None:
    assert Figure("metrics/novelty/ratio").as_json() == {"path": "metrics/novelty/ratio"}
    only = Figure("a/mean_shift", better="lower", surfaces=frozenset({"dashboard", "report"})).as_json()
    assert only == {"path": "a/mean_shift", "better": "lower", "surfaces": ["report", "dashboard"]}
    assert Figure.from_json({**only, "of a later version": 1}).surfaces == {"report", "dashboard"}


def test_defaults() -> None:
    figure = Figure("mine/mean_shift", better="higher", unit="K")
    assert (figure.name, figure.label, figure.head) == ("mean_shift", "mean shift", "mean shift (K) ↑")
    assert figure.surfaces == EVERYWHERE == set(SURFACES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": ""}, "path of a figure must be keys joined by /"),
        ({"path": "a//b"}, "path of a figure must be keys joined by /"),
        ({"path": 7}, "path of a figure must be text"),
        ({"better": "smaller"}, "better of the figure x must be one of: higher, lower, neither"),
        ({"surfaces": {"paper"}}, "a surface of the figure x must be one of: collect, dashboard"),
        ({"path": "cost/*", "name": "x"}, "the figure x, which stands for several numbers, must have no"),
    ],
)
def test_it_checks_itself(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Figure(**{"path": "a/x", **changes})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        Figure.from_json({"path": "a/x", **changes})


def test_values() -> None:
    results = {"a": {"x": 2, "y": {"value": 3.0, "low": 1.0, "high": None}, "no": "word", "yes": True}}
    assert Figure("a/x").bounds(results) == [2] and Figure("a/z").bounds(results) == []
    assert Figure("a/y/value", interval="a/y").bounds(results) == [3.0]
    results["a"]["y"] = {"value": 3.0, "low": 1.0, "high": 4.0}
    assert Figure("a/y/value", interval="a/y").bounds(results) == [3.0, 1.0, 4.0]
    assert Figure("a/no").value(results) is None and Figure("a/yes").value(results) is None
    assert at(results, "a/x/deeper") is None


def test_directions_are_of_paths_and_patterns() -> None:
    told = [
        Figure("cost/*", better="lower", surfaces=frozenset()),
        Figure("a/x", better="higher"),
        Figure("a/y"),
    ]
    assert directions(told, ["a/x", "a/y", "cost/seconds/invert", "b"]) == {
        "a/x": "higher",
        "cost/seconds/invert": "lower",
    }


def test_a_name_has_one_meaning() -> None:
    gap = Figure("bandwidth/gap/value", "gap")
    require_one_meaning([gap, Figure("interference/gap/value", "gap"), Figure("a/other")])
    with pytest.raises(
        UserError, match="a name must stand for one figure, and 'gap' is 'gap' at bandwidth/gap"
    ):
        require_one_meaning([gap, Figure("metrics/sets/samples/gap", better="lower")])
