"""`ood-diffusion dashboard FOLDER …`: the cells below folders as one page that needs no network."""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.report.collect.cells import CellFolder
from ood_diffusion.report.collect.rows import begun, not_begun, status
from ood_diffusion.report.wide import screen
from ood_diffusion.storage.atomic import atomic_write


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
        require(folder.is_dir(), "dashboard needs folders that exist", str(folder), "Try outputs/sweeps.")
    output = Path(asked.output) if asked.output else folders[0] / "dashboard.html"
    require(output.suffix == ".html", "--output must end in .html", str(output), "Name it dashboard.html.")
    missing = [name for name in ("altair", "vl_convert") if importlib.util.find_spec(name) is None]
    require(
        not missing,
        "dashboard needs the packages altair and vl-convert-python",
        f"no {', '.join(missing)}",
        'Install them with `pip install "ood-diffusion[dashboard]"`.',
    )
    cells = labelled(folders)
    waiting = sum(
        {sweep.resolve(): n for f in folders for sweep, n in not_begun(f, begun(f)).items()}.values()
    )
    require(bool(cells), "dashboard needs folders that hold runs", asked.folders, "Try outputs/sweeps.")
    from ood_diffusion.dashboard.page import page

    text, shown = page(list(cells.values()), list(cells), waiting)
    atomic_write(output, text.encode())
    complete = sum(status(cell).word == "complete" for cell in cells.values())
    size = f"{len(text.encode()) / 1e6:.1f} MB, up to {shown} pictures of a kind per cell"
    screen().print(Text(f"{complete} of {len(cells) + waiting} cells are complete."))
    screen().print(Text(f"Dashboard: {output} ({size})"), soft_wrap=True)
    return complete == len(cells) + waiting


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `dashboard`."""
    made = argparse.ArgumentParser(
        prog="ood-diffusion dashboard",
        description="Write one HTML file that shows and compares all cells below the folders, also while "
        "they run; it needs no network. Exit status 0 if all cells are complete, else 1.",
    )
    made.add_argument("folders", metavar="FOLDER", nargs="+", help="of a sweep, or any that holds runs")
    made.add_argument(
        "--output", metavar="FILE", help="an .html file (default: dashboard.html in the first FOLDER)"
    )
    return made


def labelled(folders: Sequence[Path]) -> dict[str, CellFolder]:
    """What the page calls a cell -> the cell; one that lies below several of the folders counts once."""
    cells: dict[str, CellFolder] = {}
    known: set[Path] = set()
    for folder in folders:
        for cell in begun(folder):
            inside = cell.folder.relative_to(folder)
            alone = len(folders) == 1 and inside.parts
            name = (inside if alone else Path(folder.resolve().name, inside)).as_posix()
            if cell.folder.resolve() not in known:
                cells[name if name not in cells else f"{name} ({len(cells)})"] = cell
            known.add(cell.folder.resolve())
    return cells
