"""One thread per test process: `make test` runs as many processes as there are cores."""

import gc
import os
import signal

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; what tests start inherits it
# under nohup, or in a shell's background, these are ignored, and would be in what tests start
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

STARTERS = {"run_cli", "run_anew", "run_forked", "start_cli", "subprocess", "mp", "sync"}
"""Who imports one of these starts processes."""
RATES = {"holds", "rejects_at_most", "rejects_about", "plausible"}
"""Who imports one of these, from `statistics.rates`, simulates many data sets."""


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Tensors that a test draws without a generator are the same in every run."""
    import torch  # here: OMP_NUM_THREADS counts when torch is imported

    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what can be told from a test's module, folder and fixtures; files say the rest themselves.

    Slow files come first, those that wait for a cluster before all, so that no process is left with a long
    one at the end; the tests of a file stay in their order.
    """
    for item in items:
        names = vars(item.module).keys() if isinstance(item, pytest.Function) else set()
        if STARTERS & names:
            item.add_marker(pytest.mark.slow)
        if RATES & names:
            item.add_marker(pytest.mark.statistics)
            item.add_marker(pytest.mark.slow)
        if "faults" in item.path.parts or item.path.name == "test_damage.py":
            item.add_marker(pytest.mark.faults)
        if isinstance(item, pytest.Function) and "driver" in item.fixturenames:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
    slurm, slow = (
        {item.path for item in items if item.get_closest_marker(name)} for name in ("slurm", "slow")
    )
    items.sort(key=lambda item: (item.path not in slurm, item.path not in slow))


def pytest_collection_finish() -> None:
    """What was imported by now is garbage in no test, and need not be looked through again."""
    gc.freeze()
