"""Of several ranks that failed, the one that began it is named."""

import signal
from types import SimpleNamespace

import pytest

from ood_diffusion.runs.launch import first_cause
from ood_diffusion.runs.outcome import LOST


@pytest.mark.parametrize(
    ("codes", "named"),
    [
        ({0: 2, 1: -signal.SIGABRT}, 0),  # a mistake, whoever was seen to end first
        ({0: 1, 1: -signal.SIGKILL}, 1),
        ({0: 1, 1: 1}, 0),
        ({0: LOST, 1: 1}, 1),
        ({0: 128 + signal.SIGTERM, 1: 1}, 1),
    ],
)
@pytest.mark.parametrize("late", [0, 1])
def test_a_mistake_comes_before_a_kill_and_that_before_what_follows(
    codes: dict[int, int], named: int, late: int
) -> None:
    if codes[0] == codes[1]:
        named = 1 - late
    failures = {r: SimpleNamespace(exitcode=code, timestamp=10 + (r == late)) for r, code in codes.items()}
    assert min(failures.items(), key=lambda item: first_cause(*item))[0] == named
