"""A user edits a part and gives the same command again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli import MEANS, QUICK, TINY, UNREPORTED, results, run_cli
from tests.contracts.test_extending import FILES

ALL = [
    UNREPORTED,
    "model=grey",
    "domain=stripes",
    "metric=[fid,mean_shift]",
    "prior=laplace",
    "sampler=jitter",
    "selection._target_=mine.every.Every",
    "solver=midpoint",
    "grid._target_=mine.even.even",
]
EVERY = """from ood_diffusion.samplers.selection import KeepAll
class Every(KeepAll):
    least = 0.0
"""
EVEN = """from mine.every import Every
def even(schedule, level, steps):
    return [level * i / steps for i in range(steps + 1)]
"""
EDITS = {  # file -> what is edited, and the stages that must compute again
    "grey.py": ("return sigma * x", "return 0.5 * sigma * x", {"invert", "reconstruct", "sample"}),
    "stripes.py": ("5 + 20 * width", "1 + 3 * width", {"invert", "reconstruct", "sample"}),
    "midpoint.py": ("eps(half, middle)", "eps(x, at.a)", {"invert", "reconstruct", "sample"}),
    "even.py": ("level * i / steps", "level * (i / steps) ** 2", {"invert", "reconstruct", "sample"}),
    "laplace.py": ("- self.scale", "- 3 * self.scale", {"sample"}),
    "jitter.py": ("** 0.5", "** 0.25", {"sample"}),
    "every.py": ("0.0", "1.0", {"sample"}),
    "mean_shift.py": (".norm()", ".abs().sum()", set()),
    "laplace.py, a comment": ("return self\n", "return self  # fitted\n", set()),
}


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    for name, text in {**FILES, "mine/__init__.py": "", "mine/every.py": EVERY, "mine/even.py": EVEN}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def run_with_all(mine: Path) -> dict[str, Any]:
    done = run_cli(mine, "--config-dir", "conf", *ALL, *TINY, *MEANS)
    assert done.returncode == 0, done.stderr
    return results(mine)[-1]


def planned(folder: Path) -> dict[str, int]:
    """Stage -> network calls that the same command would make now."""
    done = run_cli(folder, "--config-dir", "conf", *ALL, *TINY, *MEANS, "dry_run=true", "output=json")
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout)["network_calls"]
    return {stage: each["most"] for stage, each in calls.items() if each["most"]}


@contextmanager
def edited(file: Path, old: str, new: str) -> Iterator[None]:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    yield
    file.write_text(text)


def test_the_pages_prior_with_another_formula_gives_other_figures(mine: Path) -> None:
    command = ["--config-dir", "conf", "prior=laplace", "sampler=draw", UNREPORTED, *QUICK, *TINY]
    assert run_cli(mine, *command).returncode == 0
    with edited(mine / "mine" / "laplace.py", "- self.scale", "- 3 * self.scale"):
        assert run_cli(mine, *command).returncode == 0
    first, second = results(mine)[-2:]
    figures = [each["metrics"]["sets"]["samples"]["fid"] for each in (first, second)]
    assert figures == pytest.approx([575.496, 602.962], rel=1e-3)  # those of two empty stores
    calls = [{"invert": 24, "sample": 16}, {"invert": 0, "sample": 16}]
    assert [
        {name: each["cost"]["network_calls"][name] for name in calls[0]} for each in (first, second)
    ] == calls


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_makes_again_what_it_moves(mine: Path, run_with_all: dict[str, Any], edit: str) -> None:
    old, new, again = EDITS[edit]
    with edited(mine / "mine" / edit.partition(",")[0], old, new):
        assert set(planned(mine)) == again


def test_a_run_makes_what_its_plan_says(mine: Path, run_with_all: dict[str, Any]) -> None:
    file, (old, new, again) = "jitter.py", EDITS["jitter.py"]
    assert planned(mine) == {}
    with edited(mine / "mine" / file, old, new):
        plan = planned(mine)
        assert run_cli(mine, "--config-dir", "conf", *ALL, *TINY, *MEANS).returncode == 0
        made = results(mine)[-1]["cost"]["network_calls"]
    assert {stage: calls for stage, calls in made.items() if calls} == plan and set(plan) == again


SETTINGS = """import torch
from torch import Tensor, nn
from ood_diffusion.diffusion.ddim import ddim_step
from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.metrics.base import FeatureExtractor
class Scaled(Solver):
    name = "scaled"
    def __init__(self, by: list[float]) -> None:
        self._by = by
    def step(self, eps, x, at, history):
        return ddim_step(x, self._by[0] * eps(x, at.a), *at)
class Powers(FeatureExtractor):
    def __init__(self, power: float) -> None:
        super().__init__("powers", 12, nn.AdaptiveAvgPool2d(2))
        self.power = power
    def features(self, images: Tensor) -> Tensor:
        return (self.network(images / 255) ** self.power).flatten(1)
"""
SHORT = [*QUICK, *TINY, UNREPORTED]


def run_of(folder: Path, *settings: str) -> tuple[float, dict[str, int]]:
    """FID and network calls of one run of `SHORT`."""
    done = run_cli(folder, "--config-dir", "conf", *SHORT, *settings)
    assert done.returncode == 0, done.stderr
    found = results(folder)[-1]
    return found["metrics"]["sets"]["samples"]["fid"], found["cost"]["network_calls"]


@pytest.fixture
def with_settings(tmp_path: Path) -> Path:
    files = {
        "mine/settings.py": SETTINGS,
        "conf/solver/scaled.yaml": "_target_: mine.settings.Scaled\nby: [1.0]\n",
        "conf/extractor/powers.yaml": "_target_: mine.settings.Powers\npower: 1.0\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_solver_with_another_list_and_an_extractor_with_another_number_are_others(
    with_settings: Path,
) -> None:
    first, _ = run_of(with_settings, "solver=scaled", "extractor=powers")
    other, calls = run_of(with_settings, "solver=scaled", "extractor=powers", "solver.by=[0.5]")
    assert other != first and calls["invert"] == 24
    judged, calls = run_of(
        with_settings, "solver=scaled", "extractor=powers", "solver.by=[0.5]", "extractor.power=3"
    )
    assert judged != other and set(calls.values()) == {0}
