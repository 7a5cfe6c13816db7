"""The benchmarks are all there, and docs/benchmarks.md says what docs/benchmarks.json holds."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import torch

from benchmarks import scale
from benchmarks.__main__ import ALL, page
from benchmarks.measure import Figure, alternate, figure, ratios
from benchmarks.recipes import bandwidth

ROOT = Path(__file__).parents[2]
HELPERS = {
    "__init__",
    "__main__",
    "many",
    "measure",
    "naive",
    "networks",
    "recipes",
    "scale",
    "search",
    "solvers",
}


def test_every_benchmark_is_listed() -> None:
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.py")} == {*ALL, *HELPERS}


@pytest.mark.parametrize("name", ALL)
def test_it_says_what_it_measures(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    title, _, text = module.__doc__.strip().partition("\n\n")
    assert title and text and callable(module.run)


def test_the_page_is_made_of_the_json() -> None:
    found = json.loads((ROOT / "docs" / "benchmarks.json").read_text())
    assert list(found) == list(ALL)
    assert (ROOT / "docs" / "benchmarks.md").read_text() == page(found)


def test_the_table_of_many_workers_is_what_the_model_says() -> None:
    assert "\n".join(scale.table()) in (ROOT / "docs" / "scale.md").read_text()


def test_cases_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    seconds = alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2)
    assert order == ["a", "b"] * 3
    assert [len(values) for values in seconds.values()] == [2, 2]


def test_a_ratio_is_taken_round_by_round() -> None:
    found = figure("slow / fast", ratios([4.0, 9.0, 6.0], [1.0, 3.0, 3.0]), target=3.5)
    assert (found.median, found.low, found.high, found.met) == (3.0, 2.0, 4.0, False)


@pytest.mark.parametrize(("better", "met"), [("higher", True), ("lower", False)])
def test_a_target_has_a_good_side(better: str, met: bool) -> None:
    assert figure("x", [2.0], target=1.5, better=better).met is met
    assert Figure("x", 2.0, 2.0, 2.0).met is None


def test_the_likeliest_bandwidth_is_what_the_nearest_latent_leaves_open() -> None:
    """Of white points with correlation c in d dimensions, (c - g)(1 + g^2) = 0 for g^2 = 1 - h^2."""
    points = 8.0 * torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    assert bandwidth(torch.nn.functional.pad(points, (0, 62))) == pytest.approx(0.6)
