"""Batches come from one read each, ahead of time, and every rank gets its share."""

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.multiprocessing as mp
from torch import Tensor

from ood_diffusion.lightning.data import StoreDataModule, StoreDataset
from ood_diffusion.lightning.writer import StoreWriter
from ood_diffusion.storage.store import TensorStore
from tests.cli import LIMIT
from tests.lightning.test_predict import make_trainer


class Reads(TensorStore):
    """Notes what is read, and in which thread; tells `second` when the second batch is."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "source", {}, torch.float32)
        self.reads: list[tuple[list[str], bool]] = []
        self.second = threading.Event()

    def read(self, ids: Sequence[str]) -> Tensor:
        self.reads.append((list(ids), threading.current_thread() is threading.main_thread()))
        rows = super().read(ids)
        if len(self.reads) == 2:
            self.second.set()
        return rows


def source(root: Path, n: int) -> tuple[Reads, dict[str, str]]:
    store = Reads(root)
    names = [f"s{i}" for i in range(n)]
    store.write(names, torch.arange(n).float().view(n, 1, 1, 1).expand(n, 1, 2, 2))
    return store, {f"t{i}": name for i, name in enumerate(names)}


class Double(pl.LightningModule):
    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> Tensor:
        answer: Tensor = 2 * batch["data"]
        return answer


def test_a_batch_is_one_read_outside_the_loop_s_thread(tmp_path: Path) -> None:
    store, ids = source(tmp_path, 5)
    batches = list(StoreDataModule(StoreDataset(store, ids), 2).predict_dataloader())
    assert [batch["ids"] for batch in batches] == [["t0", "t1"], ["t2", "t3"], ["t4"]]
    assert [batch["data"][:, 0, 0, 0].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 4]]
    assert store.reads == [(["s0", "s1"], False), (["s2", "s3"], False), (["s4"], False)]


def test_the_next_batch_is_loaded_while_one_is_in_use(tmp_path: Path) -> None:
    store, ids = source(tmp_path, 6)
    batches = iter(StoreDataModule(StoreDataset(store, ids), 2).predict_dataloader())
    next(batches)
    assert store.second.wait(timeout=LIMIT)  # nobody has asked for it yet
    assert [batch["ids"] for batch in batches] == [["t2", "t3"], ["t4", "t5"]]


def test_an_error_while_loading_arrives_as_itself(tmp_path: Path) -> None:
    store, ids = source(tmp_path, 4)
    loader = StoreDataModule(StoreDataset(store, {**ids, "t9": "absent"}), 2).predict_dataloader()
    with pytest.raises(ValueError, match="first: absent"):
        list(loader)


def test_lightning_gives_every_rank_its_share(tmp_path: Path) -> None:
    """Lightning makes the loader again around a sampler of its own."""
    _, ids = source(tmp_path, 7)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    mp.start_processes(one_of_two_ranks, (str(tmp_path), ids, port), nprocs=2, start_method="fork")
    shards = list((tmp_path / "target").rglob("[!.]*.safetensors"))
    assert len(shards) == 4  # each rank has 4 items of 7, one of them twice, in batches of 2
    target = TensorStore(tmp_path, "target", {}, torch.float32)
    assert target.read(list(ids))[:, 0, 0, 0].tolist() == [2.0 * i for i in range(7)]


def one_of_two_ranks(rank: int, root: str, ids: dict[str, str], port: int) -> None:
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    data = StoreDataModule(StoreDataset(TensorStore(Path(root), "source", {}, torch.float32), ids), 2)
    writer = StoreWriter(TensorStore(Path(root), "target", {}, torch.float32))
    trainer = make_trainer(devices=2, strategy="ddp", callbacks=[writer])
    trainer.predict(Double(), datamodule=data, return_predictions=False)
