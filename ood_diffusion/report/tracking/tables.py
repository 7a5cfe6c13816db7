"""Pictures beside their figures, row by row, and the run as one row: what W&B shows as tables.

W&B keeps the pictures of a table outside the run: copies lie in a staging folder, whose absolute path is all
that an offline run knows of them, and ``wandb sync`` passes over those that are gone without a word. So they
are staged inside the run's own folder, where no clean-up takes them; and each table is also logged as a page
that holds its pictures, which is a file of the run and goes wherever its folder is moved.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from ood_diffusion.figures import number_at
from ood_diffusion.pixels import psnr
from ood_diffusion.report.declared import columns, measured
from ood_diffusion.report.flatten import flatten
from ood_diffusion.report.pictures import Pictures, data_uri
from ood_diffusion.report.results import Results
from ood_diffusion.report.tiles import LOSSLESS
from ood_diffusion.report.tracking.mode import import_wandb
from ood_diffusion.report.wording import number

ROWS = 16
"""Rows of a table with pictures, at most."""
REBUILT = ("row", "reference", "reconstruction", "PSNR (dB)")
DRAWN = ("row", "sample", "nearest reference", "distance", "novelty")
HEAD = """<!doctype html>
<meta charset="utf-8">
<style>
  td, th { text-align: center; padding: 4px 12px; font: 14px sans-serif }
  img { height: 128px; image-rendering: pixelated }
</style>
"""

Row = tuple[int | float | Tensor | None, ...]


def tables(results: Results, pictures: Pictures) -> dict[str, object]:
    """What `Run.log` takes: the run as one row; its pictures as tables and, for keeps, as pages.

    Args:
        results: of the run.
        pictures: the images of the run; a table has `ROWS` of them at most.
    """
    wandb = import_wandb()
    found: dict[str, object] = {"tables/run": wandb.Table(*row_of_run(results))}
    held_out = number_at(results, "metrics/novelty/held_out")
    for name, (heads, rows) in picture_rows(pictures, held_out).items():
        cells = [[wandb_image(x) if isinstance(x, Tensor) else x for x in row] for row in rows]
        found[f"tables/{name}"] = wandb.Table(list(heads), cells)
        found[f"pages/{name}"] = wandb.Html(page(heads, rows), inject=False, data_is_not_path=True)
    return found


def row_of_run(results: Results) -> tuple[list[str], list[list[Any]]]:
    """Columns and the only row of a run: its coordinates, then the figures that it declared, measured or
    not, as W&B puts the rows of many runs together; a coordinate that is called as a figure is (precision)
    is a "(setting)".
    """
    names, found = columns([results], "tracking"), measured(results, "tracking")
    used = flatten(results.get("coordinates", {}))
    where = {f"{k} (setting)" if k in names else k: v for k, v in used.items()}
    row = {**where, **{name: found.get(name, [None])[0] for name in names}}
    return list(row), [list(row.values())]


def picture_rows(pictures: Pictures, held_out: float | None) -> dict[str, tuple[Sequence[str], list[Row]]]:
    """Name -> columns and rows: how well references were rebuilt, how far samples are from them.

    Args:
        pictures: the images of the run.
        held_out: mean distance of held-out images to their nearest reference; a sample's novelty is its own
            distance over it.
    """
    found: dict[str, tuple[Sequence[str], list[Row]]] = {}
    given, rebuilt = pictures.references[:ROWS], pictures.reconstructions
    if rebuilt is not None and len(given):
        decibels = psnr(given, rebuilt[:ROWS]).tolist()
        found["reconstructions"] = REBUILT, list(zip(range(ROWS), given, rebuilt, decibels, strict=False))
    drawn, near, far = pictures.samples, pictures.nearest, pictures.nearest_distances
    if drawn is not None and near is not None and far is not None and len(drawn):
        novelty = [float(x) / held_out if held_out else None for x in far]
        found["samples"] = DRAWN, list(zip(range(ROWS), drawn, near, far.tolist(), novelty, strict=False))
    return found


def page(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A table with its pictures in it, as HTML that needs no other file."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    lines = ["".join(f"<td>{_shown(x)}</td>" for x in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"{HEAD}<table>\n<tr>{head}</tr>\n{body}\n</table>\n"


def _shown(value: int | float | Tensor | None) -> str:
    if not isinstance(value, Tensor):
        return number(value)
    return f'<img src="{data_uri(value, lossless=max(value.shape) <= LOSSLESS)}">'


def wandb_image(image: Tensor) -> Any:
    """A uint8 ``[3, H, W]`` image for W&B, which writes floats in [0, 1] as black."""
    return import_wandb().Image(image.permute(1, 2, 0).numpy())


@contextmanager
def staged_in(folder: Path) -> Iterator[None]:
    """Have W&B stage what is in tables below `folder`, unless ``WANDB_DATA_DIR`` names another."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
