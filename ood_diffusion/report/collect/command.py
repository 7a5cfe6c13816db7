"""`ood-diffusion collect FOLDER …`: the runs below folders as one table on disk and one on the screen."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.report.collect.arguments import asked_for
from ood_diffusion.report.collect.rows import Line, find, rows, shown
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word, differing
from ood_diffusion.report.collect.table_file import write_rows
from ood_diffusion.report.declared import columns, measured
from ood_diffusion.report.wide import print_fitting, screen
from ood_diffusion.report.wording import FID_WARNING, number

QUALIFIES = ("metrics/extractor", "metrics/sets/samples/n", "metrics/n_real")
"""What must be equal where FIDs are compared."""


def collect(arguments: Sequence[str]) -> bool:
    """Write and print the runs below the folders that the command line names.

    Returns:
        Whether every run is complete.

    Raises:
        UserError: if there is no such folder, no run in it, or no way to write the output as it is named.
    """
    folders, output, wide = asked_for(
        "collect",
        "Merge the results of all runs below folders, even while they run. Exit status 0 if all are "
        "complete, else 1.",
        arguments,
        table="runs",
    )
    found = find(*folders)
    require(
        any((found.runs, found.refused, found.not_begun, found.unreadable)),
        "collect needs a folder that holds runs or a sweep",
        ", ".join(map(str, folders)),
        "Try outputs/sweeps.",
    )
    table = rows(found.runs)
    write_rows(table, output)
    console = screen()
    print_fitting(console, screen_table(list(found.runs.values()), table), ("run", "status", "FID ↓"), wide)
    console.print(Text("\n".join(found.shortfalls())), soft_wrap=True)
    if any(len({row[name] for row in table if name in row}) > 1 for name in QUALIFIES):
        console.print(Text(FID_WARNING))
    console.print(Text(f"Table: {shown(output)}"), soft_wrap=True)
    return found.complete


def screen_table(runs: Sequence[RunFolder], found: Sequence[Line]) -> Table:
    """Runs as rows: where they differ, and the figures that any of them has."""
    names = differing(runs)
    figures = [measured(run.results, "collect") for run in runs]
    told = columns([run.results for run in runs], "collect")
    heads = {name: each for name, each in told.items() if any(name in those for those in figures)}
    with_status = any(row["status"] != "complete" for row in found)
    table = Table(box=box.SIMPLE)
    for name in ["run", *names, *["status"] * with_status]:
        table.add_column(Text(name))
    for each in heads.values():
        table.add_column(Text(each.head), justify="right")
    for run, row, those in zip(runs, found, figures, strict=True):
        where = [str(row["folder"]), *(coordinate_word(run, name) for name in names)]
        values = [number(those.get(name, [None])[0]) for name in heads]
        table.add_row(*(Text(entry) for entry in (*where, *[str(row["status"])] * with_status, *values)))
    return table
