"""Tables that lose nothing, however narrow the terminal or the file they go to."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def print_wide(console: Console, table: Table) -> None:
    """Print `table` at its full width, widening `console` where it must: lines run on, nothing is cut."""
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, needed)
    console.print(table)
