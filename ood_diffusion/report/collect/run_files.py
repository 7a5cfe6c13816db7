"""The files that Hydra, a run and its failure leave in the run's folder, read while others still run.

Every file is read and checked here, once. A damaged one makes its run a damaged one; what the others say is
shown as ever.
"""

import functools
import json
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import yaml
from typing_extensions import NotRequired, TypedDict

from ood_diffusion.checks import Json, UserError
from ood_diffusion.figures import read_figures
from ood_diffusion.report.results import SCHEMA, Results, Tested
from ood_diffusion.report.schema import mismatch, unbounded

CONFIG, HYDRA = ".hydra/config.yaml", ".hydra/hydra.yaml"
"""Where Hydra writes a run's configuration, and how it was composed, before the run begins."""
RESULTS, ERROR, MULTIRUN = "results.json", "error.txt", "multirun.yaml"
PREVIOUS = "results.previous.json"
"""Of an earlier attempt, until the present one has ended well."""
NOT_BEGUN = "The run had not begun."
"""Last line of `ERROR` where wrong settings or data ended a run before its first stage."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it: ten times as fast, and a sweep has hundreds of files."""
SECTION = re.compile(r"^(?=[^\s#-])", re.MULTILINE)
"""Before a key at the margin of a YAML file."""
MOST_BYTES = 100_000_000
"""Of a file that is read: a run writes far smaller ones."""


class Config(TypedDict):
    """`config.yaml`, as far as readers rely on it; `store` is its end."""

    stages: list[str]
    store: Any


class Overrides(TypedDict):
    """Of a command line, or of a sweep for one of its runs."""

    task: list[str]
    hydra: NotRequired[list[str]]


class ConfigSource(TypedDict):
    """A folder of settings, and who named it."""

    path: str
    provider: str


class Runtime(TypedDict):
    """The choice made in every configuration group, and where the settings were found."""

    choices: Json
    cwd: NotRequired[str]
    config_sources: NotRequired[list[ConfigSource]]


class Composition(TypedDict):
    """Hydra's own settings of a run, as far as readers rely on them; `verbose` is their end."""

    overrides: Overrides
    runtime: Runtime
    mode: NotRequired[str | None]
    verbose: Any


class HydraFile(TypedDict):
    """`hydra.yaml`."""

    hydra: Composition


class Unreadable(Exception):
    """A file is not what a run leaves; the text says why."""


@dataclass(frozen=True)
class Contents:
    """What the files of a run say: nothing where they are not there, or damaged.

    Args:
        config: `config.yaml`.
        hydra: `hydra.yaml`, below "hydra".
        results: `results.json`.
        error: `error.txt`.
        damage: file -> why it cannot be read.
        other_schema: whether the results are of another schema.
    """

    config: Json
    hydra: Composition | None
    results: Results
    error: str
    damage: dict[str, str]
    other_schema: bool


def contents(folder: Path) -> Contents:
    """The files of a run's folder as they are now."""
    damage: dict[str, str] = {}

    def part(name: str, parse: Callable[[bytes], Any], empty: Any) -> Any:
        try:
            return empty if (data := read(folder / name)) is None else parse(data)
        except Unreadable as error:
            damage[name] = str(error)
            return empty

    results = part(RESULTS, parse_results, {})
    other = results.get("schema", SCHEMA) != SCHEMA
    if other:
        why = f"schema {short(results['schema'])}; this version of ood_diffusion reads 1 to {SCHEMA}"
        damage[RESULTS] = why
        results = {}
    config = part(CONFIG, lambda data: parse_yaml(data, Config), {})
    hydra = part(HYDRA, lambda data: parse_yaml(data, HydraFile), {})
    for name, found in ((CONFIG, config), (HYDRA, hydra)):
        if not found and results:  # until there are any, Hydra may be about to write it
            damage.setdefault(name, "it is missing or empty")
    error = part(ERROR, lambda data: data.decode(errors="replace").strip() or "error.txt is empty", "")
    return Contents(config, hydra.get("hydra"), results, error, damage, other)


def read(path: Path) -> bytes | None:
    """A file's bytes; None if it is not there.

    Raises:
        Unreadable: if it is no file, far too large, or may not be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # such as a pipe, which would be waited for
            raise Unreadable("it is not a file")
        if found.st_size > MOST_BYTES:
            raise Unreadable(f"it has {found.st_size:,} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(str(error.strerror)) from None


def parse_results(data: bytes) -> Results:
    """`results.json`, of the shape that `Results` says; of an unknown schema, it may have any.

    Raises:
        Unreadable: if it has not.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number")

    try:
        found: Json = json.loads(data.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON ({short(error)})") from None
    wrong = unbounded(found) or mismatch(found, Json)
    found = found if wrong else upgraded(found)
    if not wrong and found.get("schema", SCHEMA) == SCHEMA:
        further = {name: section for name, section in found.items() if isinstance(section, dict)}
        wrong = (
            mismatch(found, Results)
            or mismatch(further, dict[str, Tested])
            or undeclared(cast(Results, found))
        )
    if wrong:
        raise Unreadable(wrong)
    if "figures" in found:  # alike in all runs of a sweep, and a large part of each
        found["figures"] = shared(json.dumps(found["figures"]))
    return cast(Results, found)


def upgraded(found: Json) -> Json:
    """Results of schema 1, which called the coordinates "cell", as of schema 2; any others as they are."""
    if found.get("schema", 1) != 1:
        return found
    return {
        "coordinates" if key == "cell" else key: 2 if key == "schema" else section
        for key, section in found.items()
    }


@functools.lru_cache(maxsize=64)
def shared(text: str) -> Any:
    """JSON that many files hold, once; whoever gets it must not change it."""
    return json.loads(text)


def undeclared(results: Results) -> str:
    """Why what results say of their figures cannot be read; empty if it can."""
    try:
        read_figures(results.get("figures", ()))
    except UserError as error:
        return str(error)
    return ""


def parse_yaml(data: bytes, shape: Any) -> Json:
    """A YAML file of this shape; empty if the file is.

    Raises:
        Unreadable: if it is no YAML, or of another shape.
    """
    try:
        found = load(data.decode())
    except (
        Exception
    ) as error:  # beside its own PyYAML raises KeyError, IndexError, AttributeError, ValueError
        raise Unreadable(f"it is not YAML ({short(error)})") from None
    if found is None:
        return {}
    if wrong := unbounded(found) or mismatch(found, shape):
        raise Unreadable(wrong)
    return cast(Json, found)


def load(text: str) -> Any:
    """A YAML file. Its sections, which the runs of a sweep share for the most part, are parsed once each."""
    parts = SECTION.split(text)
    if len(parts) == 2 and not parts[0] and ":\n  " in text:  # of hydra.yaml the sections are one level down
        head, _, rest = text.partition(":\n")
        inner = "\n".join(line.removeprefix("  ") for line in rest.splitlines())
        if all(line[:2] in ("", "  ") for line in rest.splitlines()) and not set("\"'{[ ") & set(head):
            return {head: load(inner)}
    if parts[1:] and not parts[0] and "&" not in text and "*" not in text:  # no section refers to another one
        with suppress(Exception):
            sections = [section(part) for part in parts[1:]]
            if all(isinstance(each, dict) and len(each) == 1 for each in sections):
                return {key: value for each in sections for key, value in each.items()}
    return yaml.load(text, LOADER)


@functools.lru_cache(maxsize=10_000)
def section(text: str) -> Any:
    """A part of a YAML file; whoever gets it must not change it."""
    return yaml.load(text, LOADER)


def short(found: object) -> str:
    """Its first line, or the beginning of it."""
    lines = str(found).splitlines() or [type(found).__name__]
    return lines[0] if len(lines[0]) < 80 else f"{lines[0][:76]} ..."
