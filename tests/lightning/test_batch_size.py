"""batch_size=auto on machines that are only imagined."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.lightning.batch_size import LIMIT, best_batch_size, measured_rate, remembered_batch_size
from tests.lightning.networks import gaussian_model


def machine(fits: int, saturates: int, out_of_memory: Exception) -> Callable[[int], float]:
    tried: list[int] = []

    def rate(batch_size: int) -> float:
        assert batch_size not in tried, "each size is tried once"
        tried.append(batch_size)
        if batch_size > fits:
            raise out_of_memory
        return float(min(batch_size, saturates))

    return rate


OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("error", OUT, ids=["cuda", "cpu"])
def test_the_largest_that_fits(error: Exception) -> None:
    assert best_batch_size(machine(fits=48, saturates=1000, out_of_memory=error)) == 32


def test_no_larger_than_pays() -> None:
    assert best_batch_size(machine(fits=1000, saturates=16, out_of_memory=OUT[0])) == 16


def test_there_is_an_end() -> None:
    assert best_batch_size(machine(fits=10**9, saturates=10**9, out_of_memory=OUT[0])) == LIMIT


def test_not_even_one_image_fits() -> None:
    with pytest.raises(UserError, match="expected one image to fit into memory"):
        best_batch_size(machine(fits=0, saturates=1, out_of_memory=OUT[0]))


def test_other_errors_come_through() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        best_batch_size(machine(fits=2, saturates=99, out_of_memory=RuntimeError("a bug")))


def test_rate_is_measured_on_the_real_network() -> None:
    model = gaussian_model()
    assert measured_rate(model, torch.device("cpu"))(4) > 0
    assert model.network_calls == 5 + 2 * 4  # one that sees whether a quarter more fits, in fp32


def test_it_is_measured_once_per_model_and_arithmetic(tmp_path: Path) -> None:
    model, cpu = gaussian_model(), torch.device("cpu")
    found = remembered_batch_size(model, cpu, tmp_path)
    calls = model.network_calls
    assert found >= 1 and calls > 0
    assert remembered_batch_size(model, cpu, tmp_path) == found and model.network_calls == calls
    remembered_batch_size(model.compute_in("bf16", False), cpu, tmp_path)
    assert model.network_calls > calls
