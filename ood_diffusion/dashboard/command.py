"""`ood-diffusion dashboard FOLDER …`: the cells below folders as one page that needs no network."""

import argparse
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.report.collect.rows import find, shown
from ood_diffusion.report.collect.table_file import write
from ood_diffusion.report.wide import screen


def dashboard(arguments: Sequence[str]) -> bool:
    """Write the page of the cells below the folders that the command line names.

    Returns:
        Whether every cell is complete.

    Raises:
        UserError: if a folder is not there, no cell is in any of them, the output is no .html file, or
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
    found = find(*folders)
    require(bool(found.cells), "dashboard needs folders that hold runs", asked.folders, "Try outputs/sweeps.")
    from ood_diffusion.dashboard.page import page

    text, pictures = page(list(found.cells.values()), list(found.cells), sum(found.not_begun.values()))
    write(output, text.encode())
    size = f"{len(text.encode()) / 1e6:.1f} MB, up to {pictures} pictures of each kind per run"
    screen().print(Text("\n".join(found.shortfalls())), soft_wrap=True)
    screen().print(Text(f"Dashboard: {shown(output)} ({size})"), soft_wrap=True)
    return found.complete


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
    return made
