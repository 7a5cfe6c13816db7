"""How signals end a process: one line at once, nothing finished lost, and status 128 + n for signal n.

Only the standard library is imported: the command must hear Ctrl-C before it imports anything else.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import active_children

CONTINUE = "What is finished is in the store: the same command goes on from there."

END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANNOUNCE = (signal.SIGUSR1, signal.SIGUSR2)
"""What schedulers send some time before they end a job; there is nothing to save."""


def end_on_signals(printed: bool = True) -> None:
    """Let SIGINT (Ctrl-C), SIGTERM (`kill`, `timeout`, `scancel`) and SIGHUP end this process.

    What is ignored (`nohup`) stays ignored. The first signal unwinds, so that finished batches are written;
    the second does not. Not for processes that submitit starts: its own handlers must see the signals.

    Args:
        printed: False in a process whose end another one reports. It ends without unwinding, which could wait
            for ranks that are gone.
    """
    stopped = not printed

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        if stopped:
            for process in active_children():  # joblib's would wait for ever to hand in their results
                with suppress(OSError, TypeError):  # it has ended, or not begun
                    os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
            os._exit(128 + number)
        stopped = True
        with suppress(OSError, RuntimeError):  # nobody reads it, or this interrupts another message
            print(f"error: {stopped_by(number)}", file=sys.stderr, flush=True)
        sys.exit(128 + number)

    for number in END:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    for number in ANNOUNCE:
        signal.signal(number, lambda *_: None)  # SIG_IGN would be inherited by what this process starts


def stopped_by(number: int) -> str:
    """The line that says so."""
    return f"ended by {signal.Signals(number).name}. {CONTINUE}"


@contextmanager
def obeying_signals() -> Iterator[None]:
    """Signals end what Lightning runs here as they end other code.

    Its loops turn KeyboardInterrupt into SystemExit and leave SIGINT ignored; SIGTERM they swallow unless
    there is a handler, and if it is ignored they call that of another signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGTERM] == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    elif before[signal.SIGTERM] == signal.SIG_IGN:
        signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise stop.__context__ from None
        raise
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: one that was not installed from Python
                signal.signal(number, handler)
