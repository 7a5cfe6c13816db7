"""`ood-diffusion dashboard FOLDER …`: the runs below folders as one page that needs no network."""

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.report.collect.rows import Found, find, shown
from ood_diffusion.report.collect.run_files import CONFIG, ERROR, RESULTS
from ood_diffusion.report.collect.run_folder import walk
from ood_diffusion.report.collect.table_file import write
from ood_diffusion.report.wide import screen

AGAIN = 20
"""Seconds between two looks at runs that are watched."""


def dashboard(arguments: Sequence[str], wait: Callable[[float], None] = time.sleep) -> bool:
    """Write the page of the runs below the folders that the command line names.

    Args:
        arguments: the words after the command.
        wait: lets so many seconds pass.

    Returns:
        Whether every run is complete.

    Raises:
        UserError: if a folder is not there, no run is in any of them, the output is no .html file, or
            Altair is not installed.
    """
    asked = parser().parse_args(arguments)
    folders = [Path(folder) for folder in asked.folders]
    for folder in folders:
        require(
            os.path.isdir(folder), "dashboard needs folders that exist", str(folder), "Try outputs/sweeps."
        )
    output = Path(asked.output) if asked.output else folders[0] / "dashboard.html"
    require(output.suffix == ".html", "--output must end in .html", str(output), "Name it dashboard.html.")
    missing = [name for name in ("altair", "vl_convert") if importlib.util.find_spec(name) is None]
    require(
        not missing,
        "dashboard needs the packages altair and vl-convert-python",
        f"no {', '.join(missing)}",
        'Install them with `pip install "ood-diffusion[dashboard]"`.',
    )
    seen = stamps(folders)  # before it is written: what changes meanwhile is seen at the next look
    found = written(folders, output, asked.watch)
    while asked.watch and not found.complete:
        wait(AGAIN)
        if (now := stamps(folders)) != seen:
            found, seen = written(folders, output, watched=True), now
    return found.complete


def written(folders: Sequence[Path], output: Path, watched: bool) -> Found:
    """What lies below the folders now, its page written and its shortfalls printed.

    A page that is watched loads itself anew until all runs are complete.
    """
    found = find(*folders)
    require(
        bool(found.runs),
        "dashboard needs folders that hold runs",
        list(map(str, folders)),
        "Try outputs/sweeps.",
    )
    from ood_diffusion.dashboard.page import page

    again = AGAIN if watched and not found.complete else None
    waiting = sum(found.not_begun.values())
    text, pictures = page(list(found.runs.values()), list(found.runs), waiting, output.parent, again)
    write(output, text.encode())
    size = f"{len(text.encode()) / 1e6:.1f} MB, up to {pictures} pictures of each kind per run"
    lines = found.shortfalls()
    screen().print(Text("\n".join(lines[:1] if again else lines)), soft_wrap=True)
    screen().print(Text(f"Dashboard: {shown(output)} ({size})"), soft_wrap=True)
    return found


def stamps(folders: Sequence[Path]) -> dict[Path, int]:
    """When each file that runs below the folders leave for readers was last written, in ns."""
    found: dict[Path, int] = {}
    for walked in map(walk, folders):
        for path in (
            *walked.sweeps,
            *(run.folder / name for run in walked.runs for name in (CONFIG, RESULTS, ERROR)),
        ):
            with suppress(OSError):
                found[path] = path.stat().st_mtime_ns
    return found


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `dashboard`."""
    made = argparse.ArgumentParser(
        prog="ood-diffusion dashboard",
        description="Write one self-contained HTML file that compares all runs below the folders, even while "
        "they run. Exit status 0 if all runs are complete, otherwise 1.",
    )
    made.add_argument("folders", metavar="FOLDER", nargs="+", help="a folder that contains runs or sweeps")
    made.add_argument(
        "--output", metavar="FILE", help="an .html file (default: dashboard.html in the first FOLDER)"
    )
    made.add_argument(
        "--watch",
        action="store_true",
        help="write it anew whenever runs have changed, until all are complete",
    )
    return made
