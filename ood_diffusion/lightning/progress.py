"""Progress that moves with every solver step: a live line on a terminal, plain lines in a file or a log."""

import logging
import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from rich.progress import Progress, Task
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from ood_diffusion.lightning.memory import peak_memory
from ood_diffusion.optional import optional
from ood_diffusion.report.wide import Screen

log = logging.getLogger(__name__)

TENTH = 0.1
"""Plain lines come whenever this share of a loop has been done …"""
WORTH = 100
"""… and so many images and network calls since the last one, so that short loops say nothing."""
NAME = 14
"""Characters that a name is filled up to."""
BAR = (4, 40)
"""Characters that the bar has at least and at most."""
FILLED = {"rate": 14, "calls": 11, "elapsed": 5, "eta": 9, "memory": 7}
"""Characters that a figure is filled up to, so that nothing moves while figures grow."""
SPARED = ("note", "elapsed", "memory", "calls", "rate", "bar")
"""What a line does without where the terminal is narrow, in this order."""


class Meter:
    """Shows how one loop comes on, wherever messages of level INFO go; nowhere if they go nowhere.

    Args:
        name: of the loop, as a rule the stage.
        total: how much there is to do.
        unit: of `total`, in the plural.
        calls: tells the network calls so far, of which those made before do not count.
        share: how much is done, by all ranks, for each item done here.
        device: whose memory is shown.
        before: how much of `total` has been done before.
    """

    def __init__(
        self,
        name: str,
        total: int,
        unit: str = "images",
        calls: Callable[[], int] | None = None,
        share: float = 1.0,
        device: torch.device | None = None,
        before: int = 0,
    ) -> None:
        self.note = ""
        self._calls, self._calls_before = calls, calls() if calls else 0
        self._share, self._device, self._live = share, device, False
        self._handler = listener()
        self._line = Line(
            console=Screen(file=self._handler.stream if self._handler else None),
            transient=True,
            refresh_per_second=4,
            speed_estimate_period=math.inf,  # a step may take minutes
            redirect_stdout=False,
        )
        self._id = self._line.add_task(name, total=total, completed=before, unit=unit)
        self._move(0.0)  # from where speed counts
        self._said = (self.task.completed, 0)

    @property
    def task(self) -> Task:
        """Where the loop is now."""
        return self._line.tasks[0]

    def __enter__(self) -> Self:
        with optional("show progress"):
            console = self._line.console
            if self._handler and console.is_interactive and console.file.isatty():  # the former can be forced
                self._line.start()
                self._handler.setStream(sys.stderr)  # that is Rich's now, and writes above the line
                self._live = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.advance(math.inf)  # fractions may not have added up exactly
        if self._live and self._handler:
            self._handler.setStream(self._line.console.file)
            with optional("show progress"):
                self._line.stop()

    def advance(self, amount: float = 1.0) -> None:
        """So much more is done, here."""
        done, total = self.task.completed, float(self.task.total or 0)
        self._move(min(amount * self._share, total - done))
        if self._handler and not self._live:
            self._say(total)

    def _move(self, amount: float) -> None:
        calls = round((self._calls() - self._calls_before) * self._share) if self._calls else None
        self._line.update(self._id, calls=calls, memory=peak_memory(self._device), note=self.note)
        self._line.advance(self._id, amount)

    def _say(self, total: float) -> None:
        done, calls = self.task.completed, self.task.fields["calls"] or 0
        more = done - self._said[0]
        if more >= TENTH * total - 1e-6 and more + calls - self._said[1] >= WORTH:
            log.info(plain_line(self.task))
            self._said = (done, calls)


class Line(Progress):
    """Rich's progress, drawn so that the most important figures fit into the terminal as it is now."""

    def get_renderables(self) -> Iterable[Table]:
        """The line of each task."""
        for task in self.tasks:
            name, length, figures = fitted(task, self.console.width - 1)
            line = Table.grid(padding=(0, 1, 0, 0))
            bar = [ProgressBar(task.total, task.completed, width=length)] if length else []
            line.add_row(Text(name, no_wrap=True), *bar, Text(figures, style="cyan", no_wrap=True))
            yield line


def listener() -> "logging.StreamHandler[Any] | None":
    """What shows messages of level INFO on the terminal, or where it has been redirected; None if nothing."""
    shown = log.isEnabledFor(logging.INFO)
    streams = [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    return next((handler for handler in streams if shown and handler.level <= logging.INFO), None)


def figures_of(task: Task) -> dict[str, str]:
    """What is known of a loop in words, in the order of the line; empty where there is nothing to say yet."""
    speed, left, calls = task.speed, task.time_remaining, task.fields["calls"]
    return {
        "count": f"{int(task.completed + 1e-6)}/{task.total:.0f}",  # fractions do not add up exactly
        "rate": f"{rate(speed)} {task.fields['unit']}/s" if speed else "",
        **({} if calls is None else {"calls": f"{calls:,} calls"}),
        "elapsed": clock(task.elapsed or 0.0),
        "eta": f"ETA {clock(left)}" if left else "",
        "memory": task.fields["memory"],
        "note": task.fields["note"],
    }


def plain_line(task: Task) -> str:
    """Everything, for a log."""
    figures = figures_of(task)
    figures["count"] += f" {task.fields['unit']}"
    figures["elapsed"] += " elapsed"
    return f"{task.description:<{NAME}} {joined(figures.values())}"


def fitted(task: Task, width: int) -> tuple[str, int, str]:
    """The line for a terminal of `width` characters: the name, the length of the bar, the figures."""
    figures = {figure: text.rjust(FILLED.get(figure, 0)) for figure, text in figures_of(task).items()}
    figures["count"] = figures["count"].rjust(2 * len(f"{task.total:.0f}") + 1)
    name = f"{task.description:<{NAME}}"
    for spared in (None, *SPARED):
        figures.pop(spared or "", None)
        words = " ".join(text for text in figures.values() if text)
        room = width - len(name) - len(words) - 2
        if room >= BAR[0] and spared != "bar":
            return name, min(room, BAR[1]), words
    name = task.description[: width - 1]
    return name, 0, words[: width - len(name) - 1]


def stage_line(name: str, made: int, found: int, calls: int, seconds: float) -> str:
    """A stage that has ended.

    Args:
        name: of the stage.
        made: items that it computed.
        found: items that it found in the store.
        calls: its network calls.
        seconds: it took.
    """
    words = {
        f"{made:,} images": made > 0,
        f"{found:,} found in the store": found > 0,
        f"{calls:,} calls": calls > 0,
        f"{seconds:.1f} s": True,
        f"{rate(made / seconds)} images/s": made > 0,
    }
    return f"✓ {name:<{NAME - 2}} {joined(text for text, said in words.items() if said)}"


def joined(words: Iterable[str]) -> str:
    """What is not empty, with dots between."""
    return " · ".join(word for word in words if word)


def rate(per_second: float) -> str:
    """At least two digits."""
    return f"{per_second:.1f}" if per_second >= 1 else f"{per_second:.2g}"


def clock(seconds: float) -> str:
    """1:02 for minutes and seconds, 1:02:03 with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
