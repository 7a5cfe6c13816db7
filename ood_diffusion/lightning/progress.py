"""Progress that moves with every solver step: a live line on a terminal, plain lines in a file or a log."""

import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from ood_diffusion.lightning.memory import peak_memory
from ood_diffusion.lightning.progress_line import Progress, fitted, plain_line
from ood_diffusion.optional import optional
from ood_diffusion.report.wide import Screen

log = logging.getLogger(__name__)

TENTH = 0.1
"""Plain lines come whenever this share of a loop has been done …"""
WORTH = 100
"""… and so many images and network calls since the last one, so that short loops say nothing."""


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
        before: float = 0.0,
    ) -> None:
        self.name, self.total, self.unit, self.share, self.device = name, total, unit, share, device
        self.calls, self.calls_before = calls, calls() if calls else 0
        self.done = self.before = before
        self.note = ""
        self.start, self.moved = time.perf_counter(), 0.0
        self._said = self.progress()
        self._handler = listener()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        with optional("show progress"):
            if self._handler and (live := live_line(self._handler, self.progress)):
                live.start(refresh=True)
                stream = self._handler.stream
                self._handler.setStream(FileProxy(live.console, stream))  # messages go above the line
                self._live = live
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.advance((self.total - self.done) / self.share)  # fractions may not have added up exactly
        if self._live and self._handler:
            self._handler.setStream(self._live.console.file)
            with optional("show progress"):
                self._live.stop()

    def advance(self, amount: float = 1.0) -> None:
        """So much more is done, here."""
        self.done = min(self.total, self.done + amount * self.share)
        self.moved = time.perf_counter() - self.start
        if self._handler and not self._live:
            self._say()

    def progress(self) -> Progress:
        """Where the loop is now."""
        calls = round((self.calls() - self.calls_before) * self.share) if self.calls else None
        return Progress(
            name=self.name,
            done=self.done,
            total=self.total,
            unit=self.unit,
            calls=calls,
            seconds=time.perf_counter() - self.start,
            moved=self.moved,
            memory=peak_memory(self.device),
            before=self.before,
            note=self.note,
        )

    def _say(self) -> None:
        now, last = self.progress(), self._said
        done, calls = now.done - last.done, (now.calls or 0) - (last.calls or 0)
        if done >= TENTH * self.total - 1e-6 and done + calls >= WORTH:
            log.info(plain_line(now))
            self._said = now


def listener() -> "logging.StreamHandler[Any] | None":
    """What shows messages of level INFO on the terminal, or where it has been redirected; None if nothing."""
    shown = log.isEnabledFor(logging.INFO)
    streams = [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    return next((handler for handler in streams if shown and handler.level <= logging.INFO), None)


def live_line(handler: "logging.StreamHandler[Any]", progress: Callable[[], Progress]) -> Live | None:
    """A line that keeps itself up to date, or None where the handler writes to no terminal that can."""
    console = Screen(file=handler.stream)
    if not (console.is_interactive and handler.stream.isatty()):  # the former can be forced
        return None
    return Live(
        console=console,
        get_renderable=lambda: drawn(progress(), console.width - 1),
        transient=True,
        redirect_stdout=False,
    )


def drawn(progress: Progress, width: int) -> Table:
    """One line, `width` characters at most."""
    name, length, figures = fitted(progress, width)
    line = Table.grid(padding=(0, 1, 0, 0))
    bar = [Bar(progress.total, progress.done, width=length)] if length else []
    line.add_row(Text(name, no_wrap=True), *bar, Text(figures, style="cyan", no_wrap=True))
    return line
