"""The runs below a folder: what Hydra, a run and its failure left there, read while others still run.

Every file is read and checked here, once. A damaged one makes its run a damaged one; what the others say is
shown as ever.
"""

import functools
import json
import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, cast

import yaml
from typing_extensions import NotRequired, TypedDict

from ood_diffusion.checks import Json, UserError
from ood_diffusion.figures import read_figures
from ood_diffusion.natural_order import natural_order
from ood_diffusion.report.results import SCHEMA, Results, Tested
from ood_diffusion.report.results import Cell as Knobs
from ood_diffusion.report.schema import mismatch, unbounded
from ood_diffusion.report.wording import MISSING

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
ALONE = "hydra.mode=RUN"
"""Without it the file of a sweep, which is among the overrides, would start the whole sweep."""
HOW = frozenset({"dry_run", "fail_fast", "launcher", "logger", "output"})
"""Settings, and groups of them, that say how a run is carried out and what is told of it: no coordinates."""
WITHOUT_EFFECT = HOW | {
    "batch_size",
    "checkpoints",
    "data",
    "objective",
    "store",
    "store_mode",
    "sweeper",
    "trainer",
}
"""Those whose values make no other results: a run with others is the same run."""
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


@dataclass(frozen=True)
class CellFolder:
    """A run, alone or of a sweep.

    Args:
        folder: its output folder.
    """

    folder: Path

    @cached_property
    def contents(self) -> Contents:
        """Its files as they are now."""
        damage: dict[str, str] = {}

        def part(name: str, parse: Callable[[bytes], Any], empty: Any) -> Any:
            try:
                return empty if (data := read(self.folder / name)) is None else parse(data)
            except Unreadable as error:
                damage[name] = str(error)
                return empty

        results = part(RESULTS, parse_results, {})
        other = results.get("schema", SCHEMA) != SCHEMA
        if other:
            damage[RESULTS] = (
                f"schema {short(results['schema'])}; this version of ood_diffusion reads {SCHEMA}"
            )
            results = {}
        config = part(CONFIG, lambda data: parse_yaml(data, Config), {})
        hydra = part(HYDRA, lambda data: parse_yaml(data, HydraFile), {})
        for name, found in ((CONFIG, config), (HYDRA, hydra)):
            if not found and results:  # until there are any, Hydra may be about to write it
                damage.setdefault(name, "it is missing or empty")
        error = part(ERROR, lambda data: data.decode(errors="replace").strip() or "error.txt is empty", "")
        return Contents(config, hydra.get("hydra"), results, error, damage, other)

    @property
    def config(self) -> Json:
        """The composed configuration, interpolations as they stand."""
        return self.contents.config

    @property
    def choices(self) -> Json:
        """The choice made in every configuration group."""
        hydra = self.contents.hydra
        return hydra["runtime"]["choices"] if hydra else {}

    @property
    def overrides(self) -> list[str]:
        """What the command line or the sweep set."""
        hydra = self.contents.hydra
        return hydra["overrides"]["task"] if hydra else []

    @property
    def command(self) -> str:
        """What to type, where the run or its sweep was started, to run it alone; quoted for a POSIX shell."""
        hydra = self.contents.hydra
        runtime: Runtime = hydra["runtime"] if hydra else {"choices": {}}
        of_sweep = hydra is not None and (hydra.get("mode") == "MULTIRUN" or "sweep" in self.overridden)
        return shlex.join(["ood-diffusion", *config_dirs(runtime), *self.overrides, *[ALONE] * of_sweep])

    @property
    def overridden(self) -> list[str]:
        """The keys of the overrides, without ``+`` and package."""
        return [key_of(line) for line in self.overrides]

    @property
    def results(self) -> Results:
        """`results.json`; empty before the first stage."""
        return self.contents.results

    @property
    def error(self) -> str:
        """Why the last attempt failed; empty if it did not."""
        return self.contents.error

    @property
    def damage(self) -> str:
        """Which files cannot be read, and why; empty if all can."""
        return "; ".join(f"{name}: {why}" for name, why in self.contents.damage.items())

    @cached_property
    def names(self) -> list[str]:
        """Of its coordinates: every group, every knob, and what else was overridden, by dotted name, but for
        `HOW`.
        """
        known = self.results.get("cell", Knobs.__annotations__)
        return [name for name in dict.fromkeys([*known, *self.overridden]) if name.split(".")[0] not in HOW]

    def coordinate(self, name: str) -> Any:
        """A group's choice or the value of a setting, as the run used it; None if there is no such thing."""
        cell: Mapping[str, Any] = self.results.get("cell", {})
        if name in cell:
            return cell[name]
        value: Any = self.config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return self.choices.get(name) if value is None or isinstance(value, dict) else value


@dataclass(frozen=True)
class Walked:
    """What lies below a folder, but for hidden folders and what is inside a run or a store.

    Args:
        cells: every folder in which a cell was begun, in natural order: 2 before 10.
        sweeps: every folder with a `multirun.yaml`.
        unreadable: folder -> why it cannot be looked into.
        links: none is followed.
    """

    cells: list[CellFolder]
    sweeps: list[Path]
    unreadable: dict[Path, str]
    links: list[Path]


def walk(root: Path) -> Walked:
    """Look through `root`, which may be a run itself."""
    cells: list[CellFolder] = []
    sweeps: list[Path] = []
    links: list[Path] = []
    failed: list[OSError] = []
    for folder, children, files in os.walk(root, onerror=failed.append):
        there = {*children, *files}
        if begun := bool(there & {".hydra", RESULTS}):
            cells.append(CellFolder(Path(folder)))
        if MULTIRUN in there:
            sweeps.append(Path(folder))
        closed = begun or "recipe.json" in files
        children[:] = [] if closed else [child for child in children if not child.startswith(".")]
        within = [os.path.join(folder, name) for name in (() if closed else (*children, *files))]
        links += map(Path, filter(os.path.islink, within))
    cells.sort(key=lambda cell: natural_order(str(cell.folder)))
    return Walked(cells, sweeps, {Path(each.filename): str(each.strerror) for each in failed}, links)


def find_cells(root: Path) -> list[CellFolder]:
    """The runs below `root`, dry runs among them."""
    return walk(root).cells


def key_of(override: str) -> str:
    """What an override sets, without ``+`` and package."""
    return re.split("[=@]", override.lstrip("+~"))[0]


def config_dirs(runtime: Mapping[str, Any]) -> list[str]:
    """The options by which the command line named folders of settings, relative to where it was typed."""
    sources = [each for each in runtime.get("config_sources", []) if each["provider"] == "command-line"]
    folders = [os.path.relpath(each["path"], runtime.get("cwd")) for each in sources]
    return [word for folder in folders for word in ("--config-dir", folder)]


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
    """`results.json`, of the shape that `Results` says; of another schema, it may have any.

    Raises:
        Unreadable: if it has not.
    """

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number")

    try:
        found = json.loads(data.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON ({short(error)})") from None
    wrong = unbounded(found) or mismatch(found, Json)
    if not wrong and found.get("schema", SCHEMA) == SCHEMA:
        further = {name: section for name, section in found.items() if isinstance(section, dict)}
        wrong = mismatch(found, Results) or mismatch(further, dict[str, Tested]) or undeclared(found)
    if wrong:
        raise Unreadable(wrong)
    if "figures" in found:  # alike in all runs of a sweep, and a large part of each
        found["figures"] = shared(json.dumps(found["figures"]))
    return cast(Results, found)


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


def differing(cells: Sequence[CellFolder]) -> list[str]:
    """The coordinates in which the runs are not all alike, in the order of the first run's.

    Runs of which nothing is known are not like any other, and make no difference.
    """
    known = [cell for cell in cells if cell.results or (cell.config and cell.choices)]
    names = dict.fromkeys(name for cell in known for name in cell.names)
    return [name for name in names if len({word(cell.coordinate(name)) for cell in known}) > 1]


def coordinate_word(cell: CellFolder, name: str) -> str:
    """A coordinate as text; `MISSING` where the run has no such thing."""
    value = cell.coordinate(name)
    return MISSING if value is None else word(value)


def word(value: Any) -> str:
    """A coordinate as text, the same for 0 and 0.0; true and false as in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
