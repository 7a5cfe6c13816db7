"""Feature sets shared by the metric tests."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Sets(NamedTuple):
    real: Tensor
    generated: Tensor


def _features(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    """Correlated, non-negative features ``[n, d]`` such as a ReLU network gives, float64."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, dtype=torch.float64, generator=torch.Generator().manual_seed(99)) / d**0.5
    noise = torch.randn(n, d, dtype=torch.float64, generator=generator)
    return (scale * noise @ mixing + 0.5 + shift).relu()


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small run faster on one thread than on several that a busy machine interrupts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def sets() -> Sets:
    return Sets(_features(300, 24, seed=1), _features(260, 24, seed=2, shift=0.1, scale=0.9))
