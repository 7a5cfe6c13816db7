"""Several processes, one job: rank 0 runs it, the others share its predict loops.

Everything but a predict loop (drawing latents, metrics, reports, tracking, locks) happens on rank 0 alone.
For a loop rank 0 sends the others what to do; every rank takes its stride of the items and writes its
results into the same store.
"""

import io
import os
import pickle
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.plugins.environments import ClusterEnvironment
from torch.distributed.rendezvous import rendezvous

from ood_diffusion.lightning.loop import Account, Loop
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.models.base import FrozenModel

MEETING = timedelta(minutes=10)
"""How long ranks wait for the last of them to start."""
PATIENCE = timedelta(days=30)
"""How long they wait for one another then; a dead rank is noticed sooner, by its broken connections."""
NETWORKS = {"model": FrozenModel, "extractor": FeatureExtractor}
"""What every rank has of its own, so that no rank sends it."""


class Ranks:
    """The ranks of a job, seen from one of them; alone until `join` is called.

    Args:
        make_trainer: builds this rank's Trainer from keyword arguments.
    """

    def __init__(self, make_trainer: Callable[..., pl.Trainer]) -> None:
        self.make_trainer = make_trainer
        self.rank, self.size = 0, 1

    @cached_property
    def device(self) -> torch.device:
        """Where this rank computes."""
        return self.make_trainer().strategy.root_device

    def join(self, environment: ClusterEnvironment) -> None:
        """Meet the others; returns when all are there."""
        self.rank, self.size = environment.global_rank(), environment.world_size()
        os.environ["MASTER_ADDR"] = environment.main_address
        os.environ["MASTER_PORT"] = str(environment.main_port)
        store, _, _ = next(rendezvous("env://", self.rank, self.size, timeout=MEETING))
        store.set_timeout(PATIENCE)
        # for messages alone: each rank computes by itself
        dist.init_process_group("gloo", store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE)

    def run(self, loop: Loop) -> Account:
        """On rank 0: run `loop` on all ranks; the account is of all, and the module counts all calls."""
        if self.size > 1:
            self._broadcast(pack(loop))
        own: Account = loop.run(self.make_trainer, self.rank, self.size)
        others: list[Account] = self.agree(own)[1:]
        loop.module.count_calls(sum(other.calls for other in others))
        return sum(others, own)

    def serve(self, networks: Callable[[str], Any], report: Callable[[], Any]) -> None:
        """On the other ranks: run loops until rank 0 calls `dismiss`.

        Args:
            networks: this rank's own network, by its key in `NETWORKS`.
            report: what `dismiss` is to return of this rank.
        """
        while (packed := self._broadcast(None)) is not None:
            loop = unpack(packed, networks)
            self.agree(loop.run(self.make_trainer, self.rank, self.size))
        self.agree(report())
        dist.destroy_process_group()

    def dismiss(self) -> list[Any]:
        """On rank 0: let the others go; what each of them reports."""
        if self.size == 1:
            return []
        self._broadcast(None)
        reports = self.agree(None)[1:]
        dist.destroy_process_group()
        return reports

    def agree(self, value: Any) -> list[Any]:
        """The values of all ranks, in order, on every rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def _broadcast(self, packed: bytes | None) -> bytes | None:
        message = [packed]
        dist.broadcast_object_list(message, src=0)
        return message[0]


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: object) -> str | None:
        return next((key for key, kind in NETWORKS.items() if isinstance(thing, kind)), None)


class _Unpickler(pickle.Unpickler):
    networks: Callable[[str], Any]

    def persistent_load(self, key: str) -> Any:
        return self.networks(key)


def pack(loop: Loop) -> bytes:
    """`loop` for another rank: of its networks only the key in `NETWORKS` travels."""
    buffer = io.BytesIO()
    _Pickler(buffer).dump(loop)
    return buffer.getvalue()


def unpack(packed: bytes, networks: Callable[[str], Any]) -> Loop:
    """What `pack` packed, around this rank's own networks."""
    unpickler = _Unpickler(io.BytesIO(packed))
    unpickler.networks = networks
    loop: Loop = unpickler.load()
    return loop
