"""The package uses what its dependencies make public; else it stands in `compat`."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ood_diffusion"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "compat.py")
DOCUMENTED = {"_exit", "_asdict", "_replace", "_target_"}
"""Of the standard library, and a key of Hydra's."""


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def imported(tree: ast.AST) -> Iterator[str]:
    """Everything that a file imports from elsewhere, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text()) for path in FILES}


@cache
def ours() -> set[str]:
    """Every private name that the package defines."""
    names = set()
    for node in (node for tree in trees().values() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def private_uses(tree: ast.AST) -> list[str]:
    """Private interfaces of others that a file imports, reads, or names in a text."""
    found = [name for name in imported(tree) if is_private(name) and not name.startswith("ood_diffusion.")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in ours() | DOCUMENTED:
            found.append(f"….{node.attr}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += re.findall(r"\b[a-z]\w*(?:\.\w+)*\._(?!target_)[a-z]\w*", node.value)
    return found


def test_only_public_interfaces() -> None:
    used = {str(path.relative_to(PACKAGE)): private_uses(tree) for path, tree in trees().items()}
    assert {path: names for path, names in used.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from hydra._internal.utils import run",
        "from torch import _C",
        "import rich._loop",
        "thing._of_others()",
        'name = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"',
    ],
)
def test_the_test_would_notice(line: str) -> None:
    assert private_uses(ast.parse(line))
