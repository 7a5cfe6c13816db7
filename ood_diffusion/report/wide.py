"""Tables that lose nothing, however narrow the terminal or the file they go to."""

import os
import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDTH = 120
"""Characters of a line where no terminal and no `COLUMNS` says how many there are."""


def screen() -> Console:
    """Standard output: the terminal, or lines of `WIDTH` characters in a file or a pipe."""
    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=WIDTH if wide else None)


def print_wide(console: Console, table: Table) -> None:
    """Print `table` at its full width, widening `console` where it must: lines run on, nothing is cut."""
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, needed)
    console.print(table)
