"""Imports point down only, and parts on one floor do not know each other (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ood_diffusion"
FLOORS = [
    {"checks", "compat", "extras", "figures", "fingerprint", "natural_order", "optional", "pixels"}
    | {"precision", "seeding", "source", "stopping", "terminal"},
    {"diffusion", "fields", "geometry", "simulators", "storage"},
    {"statistics"},
    {"models", "domains", "priors", "metrics", "physics", "report"},
    {"claims", "samplers"},
    {"lightning", "dashboard", "controls"},
    {"runs"},
    {"stages"},
    {"study"},
    {"api", "cli"},
    {"__main__"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ood_diffusion."):
            found.add(str(node.module).split(".")[1])
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ood_diffusion.")}
    return found


def test_every_part_has_a_floor() -> None:
    assert {part_of(path) for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = part_of(path)
    same_floor_is_fine = FLOOR[here] == 0
    for other in imports(path) - {here}:
        below = FLOOR[other] < FLOOR[here] or (same_floor_is_fine and FLOOR[other] == 0)
        assert below, f"{here} imports {other}"


def test_the_test_would_notice() -> None:
    assert (
        FLOOR["diffusion"]
        < FLOOR["models"]
        < FLOOR["lightning"]
        < FLOOR["runs"]
        < FLOOR["stages"]
        < FLOOR["study"]
    )
    assert "diffusion" in imports(PACKAGE / "models" / "base.py")
