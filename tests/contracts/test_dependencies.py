"""What the package imports is declared, and what is declared is used."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

NOT_IMPORTED = {
    "hydra-joblib-launcher": ("conf/launcher/joblib.yaml", "override /hydra/launcher: joblib"),
    "hydra-submitit-launcher": ("conf/launcher/slurm.yaml", "override /hydra/launcher: submitit_slurm"),
    "numcodecs": ("pyproject.toml", "numcodecs>="),
    "latex2mathml": ("docs/site/formulas.py", "latex2mathml"),
    "mike": ("mkdocs.yml", "- mike "),
    "mkdocs": ("docs/site/pages.py", "from mkdocs."),
    "mkdocs-material": ("mkdocs.yml", "name: material"),
    "mkdocstrings": ("mkdocs.yml", "- mkdocstrings:"),
    "torchvision": ("docs/examples/own_images.py", "from torchvision.utils import save_image"),
    "wandb-workspaces": ("sweeps/wandb/workspace.py", "wandb_workspaces"),
}
"""Declared for users and not imported in the package -> the file that uses it, and how."""
NOT_DECLARED = {
    "pyarrow": "optional and asked for by name, with what to do: `collect --table runs.parquet`",
}
"""Imported and not declared -> why."""
DEVELOPERS = {"dev", "test"}


def normal(requirement: str) -> str:
    """A distribution's name without version, extras and spelling."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def declared() -> dict[str, str]:
    """Distribution -> the requirement of users, of all extras but the developers'."""
    lists = [PROJECT["dependencies"], *(found for name, found in EXTRAS.items() if name not in DEVELOPERS)]
    return {normal(each): each for requirements in lists for each in requirements}


@cache
def imported() -> dict[str, set[str]]:
    """Third-party module -> files of the package that import it, also by `import_extra("module", …)`."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "ood_diffusion").rglob("*.py"):
        names: list[str] = []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.append(str(node.module))
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_extra":
                assert isinstance(node.args[0], ast.Constant)
                names.append(str(node.args[0].value))
        for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"ood_diffusion"}:
            found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


DECLARED = declared()


@cache
def brought() -> dict[str, set[str]]:
    """Distribution -> the modules that it brings."""
    return {
        normal(each.metadata["Name"]): {file.parts[0].removesuffix(".py") for file in each.files or []}
        for each in distributions()
    }


def bringing(module: str) -> set[str]:
    """Which distributions bring a module; of one that is not installed, the one of its name."""
    return {name for name, modules in brought().items() if module in modules} or {module}


def test_what_is_imported_is_declared_or_has_its_reason() -> None:
    found = imported()
    undeclared = {module: found[module] for module in found if not bringing(module) & DECLARED.keys()}
    assert undeclared.keys() == NOT_DECLARED.keys(), undeclared


def test_what_is_declared_is_used() -> None:
    used = {name for module in imported() for name in bringing(module)}
    assert DECLARED.keys() - used == NOT_IMPORTED.keys()


def test_reasons_are_of_today() -> None:
    for file, words in NOT_IMPORTED.values():
        assert words in (ROOT / file).read_text(encoding="utf-8"), file


def test_every_dependency_has_a_lower_bound_and_none_an_upper_one() -> None:
    lists = [PROJECT["dependencies"], *EXTRAS.values()]
    for requirement in (each for requirements in lists for each in requirements):
        if normal(requirement) != "ood-diffusion":
            assert re.fullmatch(r"[\w.\[\]-]+>=[\w.]+", requirement.partition(";")[0].strip()), requirement


def test_every_python_is_declared_and_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    run = workflow["jobs"]["tests"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    named = ["3." + word.removeprefix(prefix) for word in PROJECT["classifiers"] if word.startswith(prefix)]
    assert run == named and PROJECT["requires-python"] == f">={named[0]}"
