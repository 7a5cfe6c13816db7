"""`ood-diffusion compare RUN RUN …`: runs side by side: on the screen, as a file, and their pictures."""

import argparse
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.claims.compare import (
    LETTERS,
    Difference,
    Run,
    difference,
    drawn,
    measured_by,
    runs_of,
    settings,
)
from ood_diffusion.figures import Figure, at
from ood_diffusion.report.collect.arguments import folder_of
from ood_diffusion.report.collect.rows import Line, shown, status
from ood_diffusion.report.collect.run_folder import RunFolder, walk
from ood_diffusion.report.collect.table_file import check_output, write, write_rows
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.report.sheets import SEPARATOR, SHADE, SHOWN, Pixels, cut
from ood_diffusion.report.wide import screen
from ood_diffusion.report.wording import MISSING

DRAWS = 8
"""Of each run on the sheet."""
NAME, FIRST, OTHER = 22, 18, 19
"""Characters that the columns of a table take, about: it has as many runs as fit."""
SIGNED = ("Software", "ood-diffusion compare")
"""What the file of a sheet says, so that no other picture is replaced by one."""
MARGIN = 24
"""Pixels to the left of each row of the sheet, for its letter."""


def compare(arguments: Sequence[str]) -> bool:
    """Print and write how the runs that the command line names differ from the first of them.

    Returns:
        Whether every run is complete.

    Raises:
        UserError: if they are fewer than two, a folder is no run with results that this version reads, or the
            output cannot be written as it is named.
    """
    asked = parser().parse_args(arguments)
    runs = runs_of(opened(asked.runs))
    output = asked.output or folder_of(asked.runs) / "comparison.csv"
    check_output(output)
    sheet, place = sheet_of(runs), output.with_name(f"{output.stem}_draws.png")
    if sheet is not None:
        remedy = "Move it, or take another name by --output FILE."
        require(
            is_sheet(place), f"{shown(place)} must be free, or a sheet of compare's", "another file", remedy
        )
    figures, told = measured_by(runs), settings(runs)
    found = {name: [difference(name, runs[0], run) for run in runs[1:]] for name in figures}
    write_rows(rows(runs, figures, told, found), output)
    console = screen()
    for run in runs:
        state = status(run.files)
        line = f"{run.letter}  {shown(run.files.folder)}"
        console.print(
            Text(f"{line}  {state.word}: {shown(state.why)}" if state.why else line), soft_wrap=True
        )
    notes: dict[str, int] = {}
    most = max((console.width - NAME - FIRST) // OTHER, 1)
    for start in range(1, len(runs), most):
        chosen = slice(start, start + most)
        if any({*values[chosen]} != {values[0]} for values in told.values()):
            console.print(Text("\nSettings that differ", style="bold"))
            console.print(settings_table(runs, told, chosen))
        console.print(Text(f"\nFigures and, below them, minus {runs[0].letter}", style="bold"))
        console.print(figures_table(runs, figures, found, chosen, notes))
    console.print()
    for how, number in notes.items():
        console.print(Text(f"[{number}] {how}"))
    console.print(Text("±: half the 95 % interval."))
    if sheet is not None:
        write(place, sheet)
        console.print(Text(what_columns_are(runs)))
        console.print(Text(f"Pictures: {shown(place)}"), soft_wrap=True)
    console.print(Text(f"Table: {shown(output)}"), soft_wrap=True)
    return all(status(run.files).word == "complete" for run in runs)


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `compare`."""
    made = argparse.ArgumentParser(
        prog="ood-diffusion compare",
        description="Compare runs with the first one: settings that differ, figures with the interval of "
        "their difference, the same draws side by side. Exit status 0 if all runs are complete, else 1.",
    )
    made.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a run; two or more")
    where = "a .csv or .parquet file; the pictures go to FILE_draws.png, without its ending (default: "
    where += "comparison.csv in the folder that holds the runs)"
    made.add_argument("--output", metavar="FILE", type=Path, help=where)
    return made


def opened(folders: Sequence[Path]) -> list[RunFolder]:
    """The runs in these folders.

    Raises:
        UserError: if they are too few or too many, or one is no run with results that can be read.
    """
    names = [shown(folder) for folder in folders]
    require(
        2 <= len({os.path.realpath(folder) for folder in folders}) == len(folders) <= len(LETTERS),
        f"compare needs two to {len(LETTERS)} different runs",
        names,
        "Name their folders, such as outputs/sweeps/*/0 outputs/sweeps/*/1.",
    )
    runs = [RunFolder(folder) for folder in folders]
    for run in runs:
        name = shown(run.folder)
        require(os.path.isdir(run.folder), "compare needs folders that exist", name, "Check the path.")
        again = "Run it again with this version of ood_diffusion."
        require(not run.damage, "compare needs runs that can be read", f"{name}: {run.damage}", again)
        there = [] if run.results else [each.folder for each in walk(run.folder).runs]
        inside = [folder for folder in there if folder != run.folder]
        remedy = "This run has not finished a stage." if there else "Name another folder."
        remedy = f"It ended with: {shown(run.error)}" if run.error else remedy
        remedy = f"Name runs in it, such as {shown(inside[0])}." if inside else remedy
        require(bool(run.results), "compare needs runs that have left a results.json", name, remedy)
    return runs


def rows(
    runs: Sequence[Run],
    figures: Mapping[str, Figure],
    told: Mapping[str, Sequence[str]],
    found: Mapping[str, Sequence[Difference]],
) -> list[Line]:
    """A row per figure and run, with the settings in which the runs differ."""
    return [
        {
            "figure": name,
            "label": each.head,
            "run": shown(run.files.folder),
            **{key: values[place] for key, values in told.items()},
            **ends("", run.figures[name].bounds(run.results) if name in run.figures else ()),
            **(ends("minus_first_", found[name][place - 1].bounds) if place else {}),
            "why": found[name][place - 1].how if place else "",
        }
        for name, each in figures.items()
        for place, run in enumerate(runs)
    ]


def ends(prefix: str, bounds: Sequence[float]) -> Line:
    """A value and the ends of its interval, as far as they are known, as columns of a file."""
    keys = (f"{prefix}value", f"{prefix}low", f"{prefix}high")
    return dict(zip(keys, (*bounds, *[None] * (3 - len(bounds))), strict=True))


def settings_table(runs: Sequence[Run], told: Mapping[str, Sequence[str]], chosen: slice) -> Table:
    """Settings as rows, the first run and the chosen ones as columns."""
    table = table_of(runs, chosen)
    for name, values in told.items():
        if {*values[chosen]} != {values[0]}:
            words = (name, values[0], *values[chosen])
            table.add_row(*(Text(each, overflow="fold") for each in words))
    return table


def figures_table(
    runs: Sequence[Run],
    figures: Mapping[str, Figure],
    found: Mapping[str, Sequence[Difference]],
    chosen: slice,
    notes: dict[str, int],
) -> Table:
    """Figures as rows: under each value the difference to the first run, with the number of its note.

    Args:
        runs: all of them.
        figures: by name.
        found: of each run after the first.
        chosen: places of the runs that have columns, beside the first.
        notes: text -> number; new ones are added.
    """
    table = table_of(runs, chosen)
    for name, each in figures.items():
        words = [value(run, name) for run in (runs[0], *runs[chosen])]
        for place, minus in enumerate(found[name][chosen.start - 1 : chosen.stop - 1], 1):
            number = notes.setdefault(minus.how, len(notes) + 1)
            words[place] += f"\n{signed(minus.bounds)} [{number}]".replace("\u00a0", " ")
        table.add_row(Text(each.head), *map(Text, words))
    return table


def table_of(runs: Sequence[Run], chosen: slice) -> Table:
    """Without rows."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("", max_width=NAME, overflow="fold")
    for run in (runs[0], *runs[chosen]):
        table.add_column(run.letter, justify="right")
    return table


def value(run: Run, name: str) -> str:
    """A figure of a run as text."""
    bounds = run.figures[name].bounds(run.results) if name in run.figures else []
    return plus_minus(bounds).replace("\u00a0", " ")


def signed(bounds: Sequence[float]) -> str:
    """A difference as text, with its sign."""
    return f"{'+' if bounds and bounds[0] > 0 else ''}{plus_minus(bounds)}" if bounds else MISSING


def sheet_of(runs: Sequence[Run]) -> bytes | None:
    """The first draws of each run, a row per run that has left them, as a PNG; None if none has."""
    strips = {run.letter: draws(run) for run in runs}
    strips = {letter: tiles for letter, tiles in strips.items() if tiles}
    if not strips:
        return None
    height, width = (max(tile.shape[side] for tiles in strips.values() for tile in tiles) for side in (0, 1))
    columns = max(map(len, strips.values()))
    sheet = np.full(
        (len(strips) * (height + SEPARATOR), MARGIN + columns * (width + SEPARATOR), 3), SHADE, dtype=np.uint8
    )
    for row, tiles in enumerate(strips.values()):
        for column, tile in enumerate(tiles):
            y, x = row * (height + SEPARATOR), MARGIN + column * (width + SEPARATOR)
            sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    image = Image.fromarray(sheet)
    drawing = ImageDraw.Draw(image)
    for row, letter in enumerate(strips):
        middle = (MARGIN // 2, row * (height + SEPARATOR) + height // 2)
        drawing.text(middle, letter, fill="black", font=ImageFont.load_default(16), anchor="mm")
    buffer = io.BytesIO()
    info = PngInfo()
    info.add_text(*SIGNED)
    image.save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def is_sheet(path: Path) -> bool:
    """Whether a sheet may be written here: nothing is there, or one is."""
    try:
        with Image.open(path) as image:
            return image.info.get(SIGNED[0]) == SIGNED[1]
    except FileNotFoundError:
        return True
    except OSError:
        return False


def draws(run: Run) -> list[Pixels]:
    """The first samples of a run that are in its folder."""
    count = min(int(at(run.results, "coordinates/n_samples") or 0), SHOWN)
    return cut(run.files.folder / "samples.png", count, DRAWS)


def what_columns_are(runs: Sequence[Run]) -> str:
    """Whether the pictures in one column belong together."""
    alike = {drawn(run.files) for run in runs}
    if len(alike) == 1 and "" not in alike:
        return "In the pictures a column is one draw: seed, references and selection are the same."
    return (
        "The columns of the pictures do not correspond: seed, references or selection differ or are unknown."
    )
