"""Loops on a device that is too small for their batch."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.lightning.loop import Loop
from ood_diffusion.lightning.memory import out_of_memory
from ood_diffusion.lightning.trajectory import Generator, Inverter
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.storage.store import TensorStore
from tests.lightning.networks import gaussian_model

LEVELS = [0.0, 1.0, 300.0, 600.0]
make_trainer = partial(
    pl.Trainer, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
)
OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


class Small(FrozenModel):
    """On a device that has room for so many images in `eps` above level 1, and in `decode`."""

    def __init__(self, fits: int, decoded: int = 99, error: BaseException = OUT[0]) -> None:
        model = gaussian_model()
        super().__init__(model.network, model.schedule, model.image_shape, "epsilon", {})
        self.fits, self.decoded, self.error = fits, decoded, error

    def eps(self, x: torch.Tensor, t: float, exact: bool = False) -> torch.Tensor:
        if t > 1 and len(x) > self.fits:
            raise self.error
        return super().eps(x, t, exact)

    def decode(self, states: torch.Tensor) -> torch.Tensor:
        if len(states) > self.decoded:
            raise self.error
        return states


def run(root: Path, name: str, module: Any, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    source = TensorStore(root, f"given {values.dtype}", {}, values.dtype)
    ids = [f"i{i}" for i in range(len(values))]
    if source.missing(ids):
        source.write(ids, values)
    target = TensorStore(root, name, {}, dtype)
    Loop(target, source, {i: i for i in ids}, module, 8, "loop").run(make_trainer)
    return target.read(ids)


@pytest.mark.parametrize("error", OUT, ids=["cuda", "cpu", "python"])
def test_a_batch_is_halved_and_the_loop_goes_on(
    error: BaseException, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """11 images, 8 at a time: 8 and 4 do not fit, 2 do, in both batches, and the last part is filled up."""
    images = torch.randint(0, 256, (11, 3, 8, 8), dtype=torch.uint8)
    solver = FixedPoint(1e-6, 30)
    whole = Inverter(Small(99), solver, LEVELS)
    small = Inverter(Small(3, error=error), solver, LEVELS)
    expected = run(tmp_path, "whole", whole, images, torch.float32)
    with caplog.at_level(logging.WARNING):
        found = run(tmp_path, "small", small, images, torch.float32)
    assert torch.allclose(found, expected, atol=1e-6)
    assert small.convergence.steps == whole.convergence.steps == 11 * 3
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "Out of memory with 8 images at a time: going on with 4.",
        "Out of memory with 4 images at a time: going on with 2.",
    ]


def test_progress_ends_where_it_should(tmp_path: Path) -> None:
    model = Small(2)
    module = Inverter(model, FixedPoint(1e-6, 30), LEVELS)
    told: list[float] = []
    module.on_progress = told.append
    module.predict_step({"ids": [*"abcdef"], "data": torch.zeros(8, 3, 8, 8)})
    assert sum(told) == pytest.approx(6)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_decoder_too_large_for_the_batch(eta: float, tmp_path: Path) -> None:
    """Noise belongs to the item, so that parts get what the whole would have got."""
    latents = torch.randn(5, 3, 8, 8)
    solver = FixedPoint(1e-6, 30)
    images = [
        run(
            tmp_path, f"fits {n}", Generator(Small(99, n), solver, LEVELS, eta, 0), latents, torch.uint8
        ).int()
        for n in (99, 1)
    ]
    assert int((images[0] - images[1]).abs().max()) <= 1


def test_one_image_that_does_not_fit_ends_the_loop(tmp_path: Path) -> None:
    images = torch.zeros(3, 3, 8, 8)
    with pytest.raises(torch.OutOfMemoryError):
        run(tmp_path, "none", Inverter(Small(0), FixedPoint(1e-6, 30), LEVELS), images, torch.float32)


def test_other_errors_are_none_of_memory() -> None:
    assert all(map(out_of_memory, OUT))
    assert not any(
        map(out_of_memory, [RuntimeError("a bug"), RuntimeError(torch.add), RuntimeError(), ValueError()])
    )


def test_weights_move_once_in_many_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning moves a module's weights to the device before a loop and back after it."""
    moved: list[object] = []
    module = Inverter(gaussian_model(), FixedPoint(1e-6, 30), LEVELS)
    assert not list(module.parameters())
    monkeypatch.setattr(FrozenModel, "_apply", lambda self, *_, **__: moved.append(self) or self)
    for name in ("one", "two"):
        run(tmp_path, name, module, torch.zeros(3, 3, 8, 8), torch.float32)
    assert len(moved) == 2  # once a loop, to where they are
