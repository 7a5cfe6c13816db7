"""The terminal: tables that lose nothing, however narrow it is, and no control sequences but Rich's own."""

import shutil
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from ood_diffusion.terminal import printable

WIDTH = 120
"""Characters of a line where no terminal and no `COLUMNS` says how many there are."""


class Screen(Console):
    """A console on which texts are printable, whatever is in them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As `Console.render`; also called for what is inside tables."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


def screen() -> Screen:
    """Standard output: the terminal, or lines of `WIDTH` characters in a file or a pipe."""
    return Screen(width=shutil.get_terminal_size((WIDTH, 24)).columns)


def print_wide(console: Console, table: Table) -> None:
    """Print `table` at its full width, widening `console` where it must: lines run on, nothing is cut."""
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, needed)
    console.print(table)
