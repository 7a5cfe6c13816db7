"""Tables and pictures of the documentation, from the runs in docs/results/tables.yaml: `make results`.

    python docs/results.py [NAME …] [KEY=VALUE …]

Without names: all of them, which takes hours. KEY=VALUE are words for every run, such as data=FOLDER. Runs
share the store, and a run that this commit has finished is not repeated, so a second call continues an
interrupted one. A table whose runs fail (because a data set is missing, for example) stays as it is.

A table's figures, its commands and the commit of the code go to docs/results/NAME.json, and stand in the
pages between ``<!-- results/NAME.json -->`` and ``<!-- end -->``. Where figures are older than this program,
the commit is null and the page says so, with the file's "note".
"""

import json
import math
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from PIL import Image
from rich.console import Console

from ood_diffusion.figures import at, number_at
from ood_diffusion.report.claim_words import verdicts
from ood_diffusion.report.sections import even, plus_minus
from ood_diffusion.report.table import summary_table
from ood_diffusion.report.wording import number
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import interval_over_seeds

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "results"
RUNS = ROOT / "outputs" / "results"
CODE = ("ood_diffusion", "conf", "benchmarks")
"""Folders whose last commit is the one that figures are of."""
PICTURES = "pictures"
"""Name of the list of pictures: where each comes from."""
PART = re.compile(r"(<!-- (?:docs/)?results/(\w+)\.json -->\n).*?(<!-- end -->)", re.DOTALL)

Spec = Mapping[str, Any]
"""An entry of tables.yaml."""


class RunFailed(Exception):
    """A command ended with an error, which it has printed."""


def main(arguments: Sequence[str]) -> None:
    """Make the tables and pictures that are named, all of them if none is."""
    tables, words = listed(), [word for word in arguments if "=" in word]
    names = [word for word in arguments if "=" not in word] or [*tables]
    if unknown := set(names) - set(tables):
        raise SystemExit(f"results are {', '.join(tables)}, but got {', '.join(sorted(unknown))}")
    commit = code_commit()
    for name in names:
        print(f"== {name}", flush=True)
        try:
            if name == PICTURES:
                make_pictures(tables[name], commit, words)
            else:
                write(name, measured(tables[name], commit, words))
        except RunFailed as error:
            print(f"{name} stays as it is: {error}", file=sys.stderr, flush=True)
        render_pages()


def listed() -> dict[str, Any]:
    """What tables.yaml lists, in its order."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "tables.yaml").read_text(encoding="utf-8"))
    return found


def code_commit() -> str:
    """The last commit that changed the code.

    Raises:
        SystemExit: if the code differs from it.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words, "--", *CODE], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()

    if changed := git("status", "--porcelain"):
        raise SystemExit(f"results name the commit that they are of, but there are changes:\n{changed}")
    return git("log", "-1", "--format=%h", "--abbrev=10")


def cells(table: Spec) -> list[list[tuple[str, str]]]:
    """For every row and column the command of its run, and the path of its figure in `results.json`.

    A row or a column is a string, words of the command, or has "words" and "figure"; "command" and "figure"
    of the table hold for all of them. If the table has "seeds", each command is run for all of them.
    """

    def parts(axis: Any) -> tuple[str, str]:
        return (axis.get("words", ""), axis.get("figure", "")) if isinstance(axis, dict) else (axis, "")

    grid = []
    for row in map(parts, table["rows"].values()):
        line = []
        for column in map(parts, table["columns"].values()):
            words = ["ood-diffusion", table.get("command", ""), row[0], column[0]]
            line.append((" ".join(filter(None, words)), row[1] or column[1] or table.get("figure", "")))
        grid.append(line)
    return grid


def commands(spec: Spec) -> list[str]:
    """The commands that an entry needs, each once, in order."""
    if "prints" in spec:
        return [spec["prints"]]
    if "rows" in spec:
        each = dict.fromkeys(command for row in cells(spec) for command, _ in row)
        return [one for command in each for one in with_seeds(command, spec)]
    if "commands" in spec:
        return list(spec["commands"])
    return [*dict.fromkeys(command for each in spec.values() for command in commands(each))]


def with_seeds(command: str, table: Spec) -> list[str]:
    """The command for each seed of the table; itself if there are none."""
    return [f"{command} seed={seed}" for seed in table["seeds"]] if "seeds" in table else [command]


def measured(table: Spec, commit: str, words: Sequence[str]) -> dict[str, Any]:
    """A table as its JSON holds it: "commit", "commands" and "lines", or "columns" and "rows" of cells.

    A cell is text, a number, a number with its interval (value, low, high) or null.

    Raises:
        RunFailed: if one of its commands fails.
    """
    folders = {command: run(command, commit, words) for command in commands(table)}
    if shlex.split(next(iter(folders)))[0] == "python":
        printed = next(iter(folders.values())) / "stdout"
        columns, rows = parsed(printed.read_text(encoding="utf-8"))
        return {"commit": commit, "commands": [*folders], "columns": columns, "rows": rows}
    found = {command: read(folder) for command, folder in folders.items()}
    made: dict[str, Any] = {"commit": commit, "commands": [*folders]}
    if "prints" in table:
        console = Console(width=100)
        with console.capture() as capture:
            console.print(summary_table(found[table["prints"]]))
        return {**made, "lines": [line.rstrip() for line in capture.get().rstrip().splitlines()]}
    rows = [
        [
            label,
            *(
                over_seeds([cell(found[one], figure) for one in with_seeds(command, table)])
                for command, figure in row
            ),
        ]
        for label, row in zip(table["rows"], cells(table), strict=True)
    ]
    return {**made, "columns": [table.get("corner", ""), *table["columns"]], "rows": rows}


def run(command: str, commit: str, words: Sequence[str]) -> Path:
    """The folder of a finished run of the command at this commit, made if there is none.

    Raises:
        RunFailed: if it ends with an error.
    """
    folder = RUNS / sha256(command.encode()).hexdigest()[:12]
    mark = folder / "commit"
    if mark.is_file() and mark.read_text() == commit:
        return folder
    print(command, flush=True)
    program, *own = shlex.split(command)
    folder.mkdir(parents=True, exist_ok=True)
    if program == "python":
        line = [sys.executable, *own, *(word for word in words if word.startswith("data="))]
        with (folder / "stdout").open("w") as printed:
            done = subprocess.run(line, cwd=ROOT, stdout=printed, check=False)
    else:
        line = [sys.executable, "-m", "ood_diffusion", *own, *words, "logger=none", f"hydra.run.dir={folder}"]
        done = subprocess.run(line, cwd=ROOT, check=False)
    if done.returncode:
        raise RunFailed(f"exit status {done.returncode} of {command}")
    mark.write_text(commit)
    return folder


def read(folder: Path) -> Any:
    """The `results.json` of a run, and under "verdicts" what it says of each claim."""
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {**found, "verdicts": verdicts(found)}


def cell(results: Mapping[str, Any], path: str) -> Any:
    """What lies at a path: text, a number, or one with its interval if there is one; else None.

    The items of a list lie at their numbers: preservation/sdedit/0/fid_unseen.
    """
    results = numbered(results)
    found = at(results, path)
    interval = found if isinstance(found, dict) else at(results, path.replace("/sets/", "/intervals/"))
    if isinstance(interval, dict):
        return {key: interval[key] for key in ("value", "low", "high")}
    return found if isinstance(found, str) else number_at(results, path)


def numbered(found: Any) -> Any:
    """The same with a mapping from numbers in the place of every list."""
    if isinstance(found, list):
        found = {str(i): each for i, each in enumerate(found)}
    return {k: numbered(each) for k, each in found.items()} if isinstance(found, dict) else found


def over_seeds(cells: Sequence[Any]) -> Any:
    """One cell of those of several seeds: the mean, with an interval for other seeds if they have one."""
    if len(cells) == 1 or None in cells:
        return cells[0]
    if not isinstance(cells[0], dict):
        return fmean(cells)
    within = [Estimate(each["value"], each["low"], each["high"], 1) for each in cells]
    mean = interval_over_seeds([each.value for each in within], within)
    return {"value": mean.value, "low": mean.low, "high": mean.high}


def parsed(markdown: str) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the first table in a text."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    columns, _, *rows = ([part.strip() for part in line.strip("|").split("|")] for line in lines)
    return columns, rows


def write(name: str, found: Mapping[str, Any]) -> None:
    """Write docs/results/NAME.json, a row on a line."""

    def block(value: Any) -> str:
        if not isinstance(value, list | dict) or not value:
            return json.dumps(value, ensure_ascii=False)
        left, right = "[]" if isinstance(value, list) else "{}"
        each: Iterable[str] = (
            (json.dumps(x, ensure_ascii=False) for x in value)
            if isinstance(value, list)
            else (f"{json.dumps(k)}: {json.dumps(x, ensure_ascii=False)}" for k, x in value.items())
        )
        return left + "\n  " + ",\n  ".join(each) + f"\n {right}"

    text = ",\n".join(f" {json.dumps(key)}: {block(value)}" for key, value in found.items())
    (FOLDER / f"{name}.json").write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


def render_pages() -> None:
    """Put the tables of docs/results into the pages."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rendered(text)) != text:
            page.write_text(new, encoding="utf-8")


def pages() -> list[Path]:
    """The pages that may hold results."""
    cards = ROOT / "ood_diffusion" / "models" / "weights"
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(cards.glob("*.md"))]


def rendered(page: str) -> str:
    """A page's text with every part between markers as its JSON has it."""

    def part(match: re.Match[str]) -> str:
        found = json.loads((FOLDER / f"{match[2]}.json").read_text(encoding="utf-8"))
        return f"{match[1]}\n{shown(found)}\n\n{match[3]}"

    return PART.sub(part, page)


def shown(found: Mapping[str, Any]) -> str:
    """A table in Markdown, and under it where it comes from."""
    if "lines" in found:
        body = "\n".join(["```", *found["lines"], "```"])
    else:
        lines = [found["columns"], *([text(each) for each in row] for row in found["rows"])]
        body = "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
        body = body.replace("\n", "\n" + "|---" * len(found["columns"]) + "|\n", 1)
    commit = found["commit"]
    made = f"`make results`, commit {commit}" if commit else "Not regenerated: from before `make results`"
    note = f", {found['note']}" if "note" in found else ""
    return f"{body}\n\n*{made}{note}.*"


def text(found: Any) -> str:
    """A cell in Markdown: three digits, or as many as the interval justifies."""
    if isinstance(found, dict):
        bounds = [found["value"], found["low"], found["high"]]
        if even(bounds):
            return plus_minus(bounds).replace("\u00a0", " ")
        return f"{short(bounds[0])} [{short(bounds[1])}, {short(bounds[2])}]"
    if found is None:
        return ""
    return found if isinstance(found, str) else short(found)


def short(value: float) -> str:
    """A number with three significant digits, all those before the point kept."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return number(round(value, max(digits, 0)))


def make_pictures(pictures: Spec, commit: str, words: Sequence[str]) -> None:
    """Make every picture whose commands run; pictures.json says of each which commands and commit."""
    path = FOLDER / f"{PICTURES}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, spec in pictures.items():
        try:
            folders = [run(command, commit, words) for command in commands(spec)]
        except RunFailed as error:
            print(f"{name} stays as it is: {error}", file=sys.stderr, flush=True)
            continue
        goal = ROOT / "docs" / "images" / name
        if "file" in spec:
            shutil.copyfile(folders[0] / spec["file"], goal)
        else:
            strips = [top(folder / f, rows) for folder in folders for f, rows in spec["strips"].items()]
            stacked(strips).save(goal, optimize=True)
        known[name] = {"commit": commit, "commands": commands(spec)}
        write(PICTURES, known)


def top(path: Path, rows: int) -> Image.Image:
    """The first rows of a sheet of square pictures, eight in a row."""
    sheet = Image.open(path)
    return sheet.crop((0, 0, sheet.width, min(sheet.height, rows * (sheet.width + 2) // 8 - 2)))


def stacked(strips: Sequence[Image.Image]) -> Image.Image:
    """Strips under one another, two grey pixels apart."""
    height = sum(strip.height + 2 for strip in strips) - 2
    sheet = Image.new("RGB", (max(strip.width for strip in strips), height), (160, 160, 160))
    place = 0
    for strip in strips:
        sheet.paste(strip, (0, place))
        place += strip.height + 2
    return sheet


if __name__ == "__main__":
    main(sys.argv[1:])
