"""One thread per test process: `make test` runs as many processes as there are cores."""

import os
import signal

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; what tests start inherits it
# under nohup, or in a shell's background, these are ignored, and would be in what tests start
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

STARTERS = {"run_cli", "run_forked", "start_cli", "subprocess", "Browser"}
"""Who imports one of these starts processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts processes; files that are slow for another reason say so themselves."""
    for item in items:
        if isinstance(item, pytest.Function) and STARTERS & vars(item.module).keys():
            item.add_marker(pytest.mark.slow)
