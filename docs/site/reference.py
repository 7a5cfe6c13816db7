"""Reference pages that are made of the package: Python, the command line, the words of results.json."""

import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from hydra.utils import get_object
from typing_extensions import get_type_hints, is_typeddict

import ood_diffusion
from ood_diffusion.cli import COMMANDS, STARTERS
from ood_diffusion.metrics.fid import FID
from ood_diffusion.metrics.kid import KID
from ood_diffusion.metrics.prdc import PRDC
from ood_diffusion.report import results
from ood_diffusion.runs.configuration import conf_folder

CONTRACTS = {
    "models.base": "A frozen model",
    "domains.base": "A domain",
    "priors.base": "A prior",
    "samplers.base": "A sampler",
    "samplers.selection": "A selection",
    "diffusion.solver": "A solver",
    "diffusion.schedule": "A schedule",
    "metrics.base": "A feature extractor",
    "metrics.feature_metric": "A metric",
    "storage.store": "A store",
}
"""Module -> what it is the contract of."""
AMONG_CONTRACTS = ("FrozenModel", "Schedule")
"""Names that the package offers and the page of the contracts shows."""
KINDS = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "null"}


def functions() -> str:
    """The page of the names that the package itself offers, functions first."""
    names = [name for name in ood_diffusion.__all__ if name not in AMONG_CONTRACTS]
    names.sort(key=lambda name: name[0].isupper())
    others = " and ".join(f"`{name}`" for name in AMONG_CONTRACTS)
    says = (
        f"How they work together: [From Python](../api.md). {others} are among the [contracts](contracts.md)."
    )
    return page("Python functions", says, [f"::: ood_diffusion.{name}" for name in names])


def contracts() -> str:
    """The page of the classes that people extend."""
    options = "    options: {heading_level: 3, show_root_heading: false, show_root_toc_entry: false}"
    sections = [
        f"## {says}\n\n`ood_diffusion.{module}`\n\n::: ood_diffusion.{module}\n{options}"
        for module, says in CONTRACTS.items()
    ]
    return page("Python contracts", "One example each: [Extending](../extending.md).", sections)


def command_line() -> str:
    """The page with what the command itself says about its words."""
    command = [sys.executable, "-m", "ood_diffusion", "--help"]
    helps = {"ood-diffusion": subprocess.run(command, capture_output=True, text=True, check=True).stdout}
    modules = {**COMMANDS, **dict.fromkeys(STARTERS, "ood_diffusion.runs.resume")}
    for name in sorted(modules):
        with redirect_stdout(StringIO()) as out, suppress(SystemExit):
            getattr(import_module(modules[name]), name)(["--help"])
        helps[f"ood-diffusion {name}"] = out.getvalue()
    says = (
        "Exit status: 0, 2 for a user error, 128 + n for signal n, 1 for all else and for runs "
        "that are not complete. "
        "`python -m ood_diffusion` is the same command."
    )
    sections = [f"## {title}\n\n```text\n{text.strip()}\n```" for title, text in helps.items()]
    return page("Command line", says, sections)


def results_words() -> str:
    """The page of what `results.json` holds: one table per section."""
    kinds = [kind for kind in vars(results).values() if is_typeddict(kind)]
    kinds.sort(key=lambda kind: kind is not results.Results)
    metrics = [each.below("metrics/sets/samples") for kind in (FID, KID, PRDC) for each in kind.figures]
    stages = [
        yaml.safe_load(path.read_text())["_target_"]
        for path in sorted(Path(conf_folder(), "stage").glob("*.yaml"))
    ]
    others = [each for stage in stages for each in get_object(stage).figures if each.says]
    figures = [(f"`{each.name}`", each.head, f"`{each.path}`", each.says) for each in (*metrics, *others)]
    says = (
        "What a stage did not do is left out; numbers that are not finite are `null`. Stages that test "
        "claims add a section of their name: its figures, and their `checks` ([claims](../claims.md))."
    )
    sections = [section(kind) for kind in kinds]
    sections.append("## Figures\n\n" + table(("column", "name", "place", "what it says"), figures))
    return page("Words of results.json", says, sections)


def section(kind: type) -> str:
    """One typed dictionary: what it is for, and its words."""
    rows = [(f"`{word}`", values(hint)) for word, hint in get_type_hints(kind).items()]
    return f"## {kind.__name__}\n\n{kind.__doc__}\n\n{table(('word', 'value'), rows)}"


def values(hint: Any) -> str:
    """What stands for a type in JSON."""
    if is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if get_origin(hint) is dict:
        return f"by name: {values(get_args(hint)[1])}"
    if get_origin(hint) is list:
        return f"list of {values(get_args(hint)[0])}"
    if get_origin(hint) is Literal:
        return " or ".join(f'"{word}"' for word in get_args(hint))
    if hint is Any:
        return "figures of the stage"
    return " or ".join(KINDS[kind] for kind in get_args(hint) or (hint,))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ("---",) * len(head), *rows])


def page(title: str, says: str, sections: list[str]) -> str:
    """A page in Markdown."""
    return "\n\n".join([f"# {title}", says, *sections]) + "\n"
