"""Rows of named values as a CSV or Parquet file."""

import csv
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

from ood_diffusion.checks import UserError, require
from ood_diffusion.report.collect.rows import Line, columns, shown
from ood_diffusion.storage.atomic import atomic_write


def check_output(path: Path) -> None:
    """Raise `UserError` unless the file's name says how to write it, and that can be done."""
    require(
        path.suffix in (".csv", ".parquet"),
        "--output must be a file that ends in .csv or .parquet",
        str(path),
        "Name it runs.csv.",
    )
    require(
        path.suffix == ".csv" or importlib.util.find_spec("pyarrow") is not None,
        "a .parquet file needs the package pyarrow",
        str(path),
        "Install it with `pip install pyarrow`, or name a .csv file.",
    )


def write_rows(rows: Sequence[Line], path: Path) -> None:
    """Write a line per row and a column per name in any of them, whole or not at all; nothing for what is
    missing.

    Raises:
        UserError: if the file cannot be written.
    """
    names = columns(rows)
    if path.suffix == ".parquet":
        write(path, parquet([{name: row.get(name) for name in names} for row in rows]))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, text.getvalue().encode())


def write(path: Path, data: bytes) -> None:
    """Write what a command was asked for, whole or not at all; `UserError` if it cannot be written."""
    try:
        atomic_write(path, data)
    except OSError as error:
        raise UserError(
            f"cannot write {shown(path)}: {error.strerror}. Name another file by --output."
        ) from None


def parquet(rows: Sequence[Line]) -> bytes:
    """Complete rows as one Parquet file; a column of mixed kinds becomes text."""
    import pyarrow
    from pyarrow.parquet import write_table

    kinds = {name: {type(row[name]) for row in rows} - {type(None)} for name in rows[0]} if rows else {}
    mixed = {name for name, found in kinds.items() if len(found) > 1 and not found <= {int, float}}
    mixed |= {n for row in rows for n, v in row.items() if isinstance(v, int) and v.bit_length() > 63}
    values = [{n: str(v) if n in mixed and v is not None else v for n, v in row.items()} for row in rows]
    buffer = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(values), buffer)
    return buffer.getvalue()
