"""The line of a loop at every width, and what is written where there is no terminal."""

import io
import logging
import math
import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

import pytest
from rich.progress import Progress, Task

from ood_diffusion.lightning import progress
from ood_diffusion.lightning.progress import Meter, clock, fitted, plain_line, stage_line
from ood_diffusion.report.wide import Screen


@contextmanager
def heard(stream: TextIO, level: int = logging.INFO) -> Iterator[None]:
    """Messages go to `stream`, as under Hydra, and to no other stream that a test has left."""
    root, handler = logging.getLogger(), logging.StreamHandler(stream)
    before, handlers = root.level, root.handlers
    handler.setLevel(level)
    root.handlers = [*(each for each in handlers if type(each) is not logging.StreamHandler), handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(before)


def run(total: int, step: float = 1.0, calls_per_step: int = 0) -> None:
    """A loop like those of the solvers: a part of every image, then the next part."""
    counted = 7  # of an earlier loop
    with Meter("invert", total, calls=(lambda: counted) if calls_per_step else None) as meter:
        for _ in range(round(total / step)):
            counted += calls_per_step
            meter.advance(step)


def all_of(terminal: int) -> str:
    """What has been written to a terminal that nobody writes to any more; its end is closed then."""
    written = b""
    try:
        while part := os.read(terminal, 65536):
            written += part
    except OSError:  # Linux's way of saying that this was all
        pass
    os.close(terminal)
    return written.decode()


def loop(name: str, done: int, total: int, seconds: float, *, before: int = 0, **fields: Any) -> Task:
    """A loop that has just come to `done` in so many seconds."""
    times = iter([0.0, 0.0])  # when it began, and from where speed counts
    line = Progress(get_time=lambda: next(times, seconds), speed_estimate_period=math.inf)
    task = line.add_task(name, total=total, completed=before, unit="images", calls=None, note="")
    line.advance(task, 0)
    line.update(task, completed=done, **fields)
    return line.tasks[0]


LOOP = loop("reconstruct", 48, 128, 615.0, calls=12_345, memory="1.2 GiB")


def test_everything_fits_80_columns() -> None:
    name, bar, figures = fitted(LOOP, 79)
    assert len(name) + bar + len(figures) + 2 <= 79 and bar >= 4
    for words in (" 48/128 ", "0.078 images/s", "12,345 calls", "10:15", "ETA 17:05", "1.2 GiB"):
        assert words in f" {figures} "


@pytest.mark.parametrize("width", [10, 20, 30, 40, 50, 60, 70, 79, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    name, bar, figures = fitted(LOOP, width)
    assert len(name) + bar + len(figures) + (2 if bar else 1) <= width
    assert ("ETA" in figures) is (width >= 30) and ("1.2 GiB" in figures) is (width >= 79)


def test_the_bar_keeps_its_place_while_figures_grow() -> None:
    first = loop("invert", 0, 96, 0.0, calls=0, memory="612 MiB")
    last = loop("invert", 96, 96, 20.0, calls=1_440, memory="799 MiB")
    assert fitted(first, 100)[1] == fitted(last, 100)[1]


def test_speed_counts_only_what_this_loop_has_done() -> None:
    resumed = loop("train", 1_500, 2_000, 100.0, before=1_000, unit="steps", memory="1.0 GiB")
    line = plain_line(resumed)
    assert "1500/2000 steps" in line and "5.0 steps/s" in line and "ETA 1:40" in line and "calls" not in line


def test_a_step_of_minutes_has_a_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich forgets what is older than half a minute, unless it is told not to."""
    now = 0.0
    monkeypatch.setattr(progress, "Screen", partial(Screen, get_time=lambda: now))
    meter = Meter("invert", 96)
    for now in (3600.0, 7200.0):  # noqa: B007 - the clock of the line
        meter.advance()
    assert meter.task.speed == pytest.approx(1 / 3600)
    assert meter.task.time_remaining == pytest.approx(94 * 3600, abs=1)


def test_a_log_gets_a_line_for_every_tenth_that_is_worth_one() -> None:
    log = io.StringIO()
    with heard(log):
        run(8, step=0.25, calls_per_step=50)  # 32 steps, 1,600 calls
        lines = log.getvalue().splitlines()
        run(40, calls_per_step=1)  # over before a line would help
        assert log.getvalue().splitlines() == lines
    counts = [re.findall(r"(\d)/8 images · .* ([\d,]+) calls", line) for line in lines]
    assert len(lines) == 8 and counts[0] == [("1", "200")] and counts[-1] == [("8", "1,600")]
    assert all(line.startswith("invert  ") and "\x1b" not in line for line in lines)


def test_a_loop_without_a_network_is_counted_in_images() -> None:
    log = io.StringIO()
    with heard(log):
        run(500)
    assert [re.findall(r"(\d+)/500", line) for line in log.getvalue().splitlines()] == [
        [str(n)] for n in (100, 200, 300, 400, 500)
    ]


def test_nothing_is_shown_where_messages_are_not() -> None:
    log = io.StringIO()
    with heard(log, logging.WARNING):
        run(500)
    assert log.getvalue() == ""


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM", "TTY_INTERACTIVE", "FORCE_COLOR"])
def test_what_the_environment_asks_for(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; with FORCE_COLOR not on one, which must not bring the animation back."""
    monkeypatch.setenv("TERM", "xterm")
    value = {"NO_COLOR": "1", "TERM": "dumb", "TTY_INTERACTIVE": "0", "FORCE_COLOR": "1"}[variable]
    monkeypatch.setenv(variable, value)
    main, side = pty.openpty()
    log = io.StringIO()
    with os.fdopen(side, "w") as terminal, heard(log if variable == "FORCE_COLOR" else terminal):
        run(3, calls_per_step=2)
        logging.getLogger("test").info("over")
    written = all_of(main) + log.getvalue()
    if variable == "NO_COLOR":
        assert "invert" in written and "6 calls" in written
        assert not re.findall(r"\x1b\[(?:\d+;)*3\d", written), "a colour"
    else:
        assert "\x1b" not in written and written.strip() == "over"


def test_a_warning_stands_above_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    main, side = pty.openpty()
    with os.fdopen(side, "w") as terminal, heard(terminal), Meter("invert", 2) as meter:
        meter.advance()
        logging.getLogger("test").warning("not converged")
    written = all_of(main)
    assert re.search(r"\x1b\[2K\s*not converged.*invert", written, re.DOTALL), repr(written)


def test_words_of_a_stage() -> None:
    words = stage_line("invert", 96, 0, 1440, 14.2)
    assert words == "✓ invert       96 images · 1,440 calls · 14.2 s · 6.8 images/s"
    assert stage_line("sample", 0, 128, 0, 0.31) == "✓ sample       128 found in the store · 0.3 s"
    assert clock(59.6) == "1:00" and clock(3_725) == "1:02:05"


class Gone(io.StringIO):
    """A terminal that has hung up, as after `disown` and the end of the shell."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("when", ["before the loop", "in the loop"])
def test_a_terminal_that_is_gone_costs_the_loop_nothing(
    when: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stream = Gone() if when == "before the loop" else io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    done = []
    with heard(stream):
        with Meter("invert", 4) as meter:
            monkeypatch.setattr(stream, "write", Gone().write, raising=False)
            for i in range(4):
                meter.advance()
                done.append(i)
        handlers = logging.getLogger().handlers
        assert any(getattr(handler, "stream", None) is stream for handler in handlers), "as it was"
    assert done == [0, 1, 2, 3]
