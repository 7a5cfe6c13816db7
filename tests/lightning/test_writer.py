"""Finished batches are written by a thread: in order, bounded, never lost, and its errors are the run's."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.lightning.loop import Predictor
from ood_diffusion.lightning.predict import predict_into
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.lightning.writer import WAITING, StoreWriter
from ood_diffusion.storage.store import TensorStore
from tests.cli import LIMIT
from tests.lightning.test_predict import make_trainer

BATCHES = 8


class Steps(Predictor):
    """Answers a batch of ones with its number; `before` is called at the start of every step."""

    def __init__(self, before: Callable[[int], None] = lambda batch: None, value: float = 1.0) -> None:
        super().__init__()
        self.before, self.value = before, value

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        self.before(batch_idx)
        answer: Tensor = batch["data"] * batch_idx * self.value
        return answer


class Watched(TensorStore):
    """Calls `before` in the thread that writes, then writes; `written` lists what is on disk."""

    def __init__(self, root: Path, before: Callable[[], None] = lambda: None) -> None:
        super().__init__(root, "watched", {}, torch.float32)
        self.before, self.written = before, list[str]()

    def write(self, ids: Sequence[str], data: Tensor, device: torch.device | str = "cpu") -> None:
        self.before()
        super().write(ids, data, device)
        self.written += ids


def fill(target: TensorStore, root: Path, module: pl.LightningModule) -> None:
    source = TensorStore(root, "source", {}, torch.float32)
    names = [f"s{i}" for i in range(2 * BATCHES)]
    source.write(names, torch.ones(len(names), 1, 2, 2))
    ids = {f"t{i}": name for i, name in enumerate(names)}
    predict_into(target, source, ids, module, Ranks(make_trainer), 2, "steps")


def targets(batches: int) -> list[str]:
    return [f"t{i}" for i in range(2 * batches)]


def test_batches_keep_their_ids_and_their_order(tmp_path: Path) -> None:
    store = Watched(tmp_path)
    fill(store, tmp_path, Steps())
    assert store.written == targets(BATCHES)
    assert store.read(targets(BATCHES))[:, 0, 0, 0].tolist() == [float(i // 2) for i in range(2 * BATCHES)]


def test_the_next_batches_are_computed_while_one_is_written(tmp_path: Path) -> None:
    ahead = threading.Event()
    store = Watched(tmp_path, before=lambda: wait_for(ahead))
    fill(store, tmp_path, Steps(before=lambda batch: ahead.set() if batch == WAITING + 1 else None))
    assert store.written == targets(BATCHES)


def wait_for(event: threading.Event) -> None:
    assert event.wait(timeout=LIMIT), "the loop waited for the writer"


def test_no_more_than_a_few_batches_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store writes one batch whenever the loop waits for it, so the loop runs as far ahead as it may."""
    turn, handed_over, seen = threading.Semaphore(0), [0], list[int]()
    result = Future.result

    def waited_for(future: "Future[None]", timeout: float | None = None) -> None:
        seen.append(handed_over[0])
        turn.release()
        result(future, timeout)

    monkeypatch.setattr(Future, "result", waited_for)
    store = Watched(tmp_path, before=lambda: turn.acquire() and None)
    writer, nothing = StoreWriter(store), pl.Trainer(logger=False, enable_checkpointing=False)
    writer.on_predict_start(nothing, Steps())
    for i in range(BATCHES):
        batch = {"ids": [f"t{2 * i}", f"t{2 * i + 1}"]}
        writer.write_on_batch_end(nothing, Steps(), torch.zeros(2, 1), None, batch, i, 0)
        handed_over[0] += 1
    assert seen == list(range(WAITING + 1, BATCHES))
    writer.on_predict_end(nothing, Steps())
    assert store.written == targets(BATCHES)


def test_what_the_writer_refuses_ends_the_run_at_the_next_batch(tmp_path: Path) -> None:
    begun = list[int]()
    written = threading.Event()

    def step(batch: int) -> None:
        begun.append(batch)
        assert batch == 0 or written.wait(timeout=LIMIT)

    class Refusing(TensorStore):
        def write(self, ids: Sequence[str], data: Tensor, device: torch.device | str = "cpu") -> None:
            try:
                super().write(ids, data, device)
            finally:
                written.set()

    store = Refusing(tmp_path, "refusing", {}, torch.float32)
    with pytest.raises(UserError, match="NaN or infinity for t0, t1"):
        fill(store, tmp_path, Steps(before=step, value=float("nan")))
    assert begun[:2] == [0, 1] and len(begun) <= WAITING + 2


def test_a_full_disk_is_told_as_itself(tmp_path: Path) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fill(Watched(tmp_path, before=full), tmp_path, Steps())
    assert caught.value.errno == 28


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def fail(kind: type[BaseException]) -> Callable[[], None]:
    def act() -> None:
        raise kind("in the network")

    return act


@pytest.mark.parametrize(
    ("act", "arrives"),
    [
        (fail(ValueError), ValueError),
        (fail(KeyboardInterrupt), KeyboardInterrupt),  # Lightning makes SystemExit of it
        (terminate, SystemExit),  # which Lightning swallows
    ],
)
def test_what_was_finished_is_kept(
    tmp_path: Path, act: Callable[[], None], arrives: type[BaseException]
) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    failing = threading.Event()

    def step(batch: int) -> None:
        if batch == WAITING + 1:
            failing.set()
            act()

    store = Watched(tmp_path, before=lambda: wait_for(failing))  # nothing is on disk until then
    with pytest.raises(arrives):
        fill(store, tmp_path, Steps(before=step))
    assert store.written == targets(WAITING + 1)
    assert store.missing(targets(BATCHES)) == targets(BATCHES)[2 * (WAITING + 1) :]
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_an_ignored_sigterm_stays_ignored(tmp_path: Path) -> None:
    """Lightning calls the handler of signal 1 then."""
    heard = list[int]()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    try:
        store = Watched(tmp_path)
        fill(store, tmp_path, Steps(before=lambda batch: terminate()))
        assert store.written == targets(BATCHES) and not heard
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
