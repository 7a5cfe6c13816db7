"""Which edits give a part another identity, and which do not."""

import functools
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.models.torch_module import PerImageTimestep
from ood_diffusion.models.unet import UNet
from ood_diffusion.source import identity, network_identity, targets

PART = """
from mine_ import a
from mine_.inner.deep import b
import sibling_
import json

class Part:  # a comment
    width = 1

    def f(self):
        from . import late
        return a.A + b + late.L
"""
FILES = {
    "mine_/__init__.py": "P = 1\n",
    "mine_/part.py": PART,
    "mine_/a.py": "from .base import *\nA = 1\n",
    "mine_/base.py": "BASE = 1\n",
    "mine_/late.py": "L = 1\n",
    "mine_/unused.py": "U = 1\n",
    "mine_/inner/__init__.py": "I = 1\n",
    "mine_/inner/deep.py": "b = 1\n",
    "sibling_.py": "S = 1\n",
    "unused_.py": "S = 1\n",
    "flat_.py": "import sibling_\nclass Part: pass\ndef make(x): return x\n",
}
KEPT = {"mine_/unused.py", "unused_.py", "flat_.py"}
"""What `mine_.part` does not import."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    unload()


def unload() -> None:
    """A new process, as far as these modules go."""
    for name in list(sys.modules):
        if name.partition(".")[0] in {"mine_", "sibling_", "flat_"}:
            del sys.modules[name]
    importlib.invalidate_caches()


def load(module: str, name: str = "Part") -> Any:
    unload()
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("edited", FILES)
def test_an_edit_of_what_a_part_imports_is_an_edit_of_the_part(folder: Path, edited: str) -> None:
    before = identity(load("mine_.part")())
    (folder / edited).write_text(FILES[edited].replace("= 1", "= 2").replace("return x", "return 2"))
    assert (identity(load("mine_.part")()) == before) == (edited in KEPT)


@pytest.mark.parametrize("edited", ["sibling_.py", "flat_.py", "unused_.py"])
def test_a_flat_script_and_its_siblings(folder: Path, edited: str) -> None:
    before = [identity(load("flat_")), identity(functools.partial(load("flat_", "make"), 2))]
    (folder / edited).write_text(FILES[edited] + "S = 3\n")
    after = [identity(load("flat_")), identity(functools.partial(load("flat_", "make"), 2))]
    same = edited == "unused_.py"
    assert [a == b for a, b in zip(before, after, strict=True)] == [same, same]


def test_what_a_part_imports_may_lie_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "sibling_.py").rename(elsewhere / "sibling_.py")
    monkeypatch.syspath_prepend(elsewhere)
    before = [identity(load("mine_.part")), identity(load("flat_"))]
    (elsewhere / "sibling_.py").write_text("S = 2\n")
    after = [identity(load("mine_.part")), identity(load("flat_"))]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False]
    assert str(folder) not in str(before)


def test_comments_layout_and_place_are_no_edit(folder: Path) -> None:
    before = identity(load("mine_.part"))
    (folder / "mine_/part.py").write_text(PART.replace("# a comment", "# another").replace("\n\n", "\n\n\n"))
    assert identity(load("mine_.part")) == before
    assert str(folder) not in str(before)


def test_what_was_edited_after_it_was_loaded_is_what_was_loaded(folder: Path) -> None:
    part = load("mine_.part")
    before = identity(part)
    (folder / "mine_/a.py").write_text("A = 2\n")
    assert identity(part) == before
    importlib.reload(sys.modules["mine_.a"])
    assert identity(part) != before


def test_what_a_part_holds_is_part_of_it(folder: Path) -> None:
    held = load("flat_", "make")
    part = DDIM()
    before = identity(part)
    part.made = [functools.partial(held, 2)]  # type: ignore[attr-defined]
    assert "code" not in before and "code" in identity(part)


def test_the_packages_own_parts_state_a_version(folder: Path) -> None:
    assert identity(DDIM()) == {
        "name": "ood_diffusion.diffusion.ddim.DDIM",
        "versions": {"DDIM": DDIM.version, "Solver": 1},
    }
    mine = type("Mine", (DDIM,), {"__module__": "flat_"})
    load("flat_")
    assert identity(mine)["versions"] == identity(DDIM())["versions"] and "code" in identity(mine)


def test_an_installed_part_counts_with_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    import filelock

    from ood_diffusion import source

    before = identity(filelock.FileLock)
    monkeypatch.setattr(source, "version", lambda name: "0.0")
    source._release.cache_clear()
    assert identity(filelock.FileLock)["code"] != before["code"]
    monkeypatch.undo()
    source._release.cache_clear()
    assert identity(filelock.FileLock) == before


@pytest.mark.parametrize(
    "cell", ["K = 2", "def g(): return 3", "class Part:\n  def f(self): return 1 + g() + K"]
)
def test_a_cell_of_a_notebook_counts_as_it_was_compiled(monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    notebook = types.ModuleType("notebook_")
    monkeypatch.setitem(sys.modules, "notebook_", notebook)
    first = "K = 1\ndef g(): return 2\nclass Part:\n  def f(self): return g() + K"
    exec(first, vars(notebook))
    before = identity(notebook.Part)
    exec(first, vars(notebook))
    assert identity(notebook.Part) == before
    exec(cell, vars(notebook))
    assert identity(notebook.Part) != before


def test_every_target_of_a_configuration_counts(folder: Path) -> None:
    load("flat_")
    found = targets({"_target_": "flat_.make", "x": [{"_target_": "flat_.Part"}, 1], "y": None})
    assert sorted(found) == ["flat_.Part", "flat_.make"]


def test_a_network_counts_with_all_classes_that_are_not_pytorchs(folder: Path) -> None:
    load("flat_")
    mine = type("Mine", (nn.Module,), {"__module__": "flat_"})
    names = [
        each["name"] for each in network_identity(PerImageTimestep(nn.Sequential(nn.ReLU(), mine(), mine())))
    ]
    assert names == ["ood_diffusion.models.torch_module.PerImageTimestep", "flat_.Mine"]
    assert len(network_identity(UNet(mine()))) == 1
