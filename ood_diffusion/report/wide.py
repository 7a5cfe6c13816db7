"""The terminal: tables that lose nothing, however narrow it is, and no control sequences but Rich's own."""

import shutil
from collections.abc import Collection, Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

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


def print_fitting(console: Console, table: Table, first: Collection[str], wide: bool) -> None:
    """Print `table` as wide as `console`, with as many columns as that holds; the others are named below it.

    Args:
        console: is widened where all columns are asked for.
        table: its heads and entries are `Text`, or plain words.
        first: heads of those that are shown before the others are considered, from left to right.
        wide: show all columns.
    """
    heads = [str(column.header) for column in table.columns]
    needs = [
        max(cell_len(line) for entry in (column.header, *column.cells) for line in str(entry).split("\n")) + 3
        for column in table.columns
    ]
    room, shown = console.width - 1, set[int]()
    for place in sorted(range(len(heads)), key=lambda place: heads[place] not in first):
        if wide or needs[place] <= room or heads[place] in first:
            shown.add(place)
            room -= needs[place]
    left_out = [" ".join(head.split()) for place, head in enumerate(heads) if place not in shown]
    table.columns = [column for place, column in enumerate(table.columns) if place in shown]
    print_wide(console, table) if wide else console.print(table)
    if left_out:
        line = f"Not shown, for want of space: {', '.join(left_out)}. --wide shows all columns."
        console.print(Text(line), soft_wrap=True)


def print_wide(console: Console, table: Table) -> None:
    """Print `table` at its full width, widening `console` where it must: lines run on, nothing is cut."""
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(console.width, needed)
    console.print(table)
