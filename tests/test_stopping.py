"""Signals end the process with one line and status 128 + n; those that only announce an end do not."""

import fcntl
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.stopping import ANNOUNCE, END, end_on_signals
from ood_diffusion.storage.store import TensorStore


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*END, *ANNOUNCE)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", END, ids=lambda number: number.name)
def test_one_line_and_the_status(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    end_on_signals()
    with pytest.raises(SystemExit) as stopped:
        os.kill(os.getpid(), number)
    assert stopped.value.code == 128 + number
    said = capsys.readouterr().err
    assert said.startswith(f"error: ended by {number.name}. What is finished") and said.count("\n") == 1


def test_the_second_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = list[int]()
    monkeypatch.setattr(os, "_exit", statuses.append)
    end_on_signals()
    for _ in range(2):
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGINT)
    assert statuses == [130]


def test_a_terminal_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("builtins.print", gone)
    end_on_signals()
    with pytest.raises(SystemExit) as stopped:
        os.kill(os.getpid(), signal.SIGHUP)
    assert stopped.value.code == 129


def test_what_is_announced_or_ignored_ends_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    end_on_signals()
    for number in (*ANNOUNCE, signal.SIGHUP):
        os.kill(os.getpid(), number)


def test_told_to_stop_while_waiting_for_a_lock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    end_on_signals()
    store = TensorStore(tmp_path, "images", {}, torch.uint8)
    store.folder.mkdir(parents=True)
    waiting = threading.Event()

    class Tell(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            waiting.set()

    def stop() -> None:
        assert waiting.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)

    log, tell, thread = logging.getLogger(TensorStore.__module__), Tell(), threading.Thread(target=stop)
    log.addHandler(tell)
    thread.start()
    try:
        with (
            caplog.at_level(logging.INFO),
            open(store.folder / f"lock-{fingerprint('a')}", "w") as held,
            pytest.raises(SystemExit) as stopped,
        ):
            fcntl.flock(held, fcntl.LOCK_EX)
            with store.exclusive("a"):
                pass
    finally:
        log.removeHandler(tell)
        thread.join()
    assert stopped.value.code == 143
