"""Where a call computes: a folder that is gone afterwards, and the run that a run would have made."""

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import torch
from omegaconf import DictConfig
from torch import Tensor

from ood_diffusion.api.composed import Values, as_user_errors, composed
from ood_diffusion.checks import require
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import assemble
from ood_diffusion.runs.configuration import GROUPS
from ood_diffusion.runs.execute import check_weights, kept_unless_void, quieten
from ood_diffusion.runs.joining import trainer_maker
from ood_diffusion.runs.launch import ranks_wanted
from ood_diffusion.runs.run import Run
from ood_diffusion.stopping import obeying_signals
from ood_diffusion.storage.store import BLOCK, Gone, TensorStore

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def session(cfg: DictConfig) -> Iterator[tuple[Path, Ranks]]:
    """A folder for the time of one call, and this process as the only rank; libraries stay quiet."""
    require(
        ranks_wanted(cfg.trainer) == 1,
        "calls from Python use one device",
        f"trainer.devices={cfg.trainer.devices}, trainer.num_nodes={cfg.trainer.num_nodes}",
        "For several devices use the command, `ood-diffusion trainer=ddp` (docs/cluster.md).",
    )
    chatty = logging.getLogger("pytorch_lightning")
    level = chatty.level
    with (
        TemporaryDirectory(prefix="ood-diffusion-") as folder,
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),  # every DataLoader draws a seed of the caller's generator
        as_user_errors(),
        obeying_signals(),
    ):
        quieten()
        try:
            yield Path(folder), Ranks(trainer_maker(cfg.trainer))
        finally:
            chatty.setLevel(level)


@contextmanager
def opened(
    model: FrozenModel, store: str | Path | None, settings: Values | None, **asked: Any
) -> Iterator[Run]:
    """The run of a run with this model and these settings; its weights are checked when it closes.

    Args:
        model: the frozen model.
        store: where results are kept and looked for, like the command's ``outputs/store``; None: nowhere.
        settings: values by their names in `conf/`.
        asked: knobs, choices of groups, or own parts in their place; None: what `conf/` says.

    Raises:
        UserError: for what a run would refuse, or if the frozen weights have changed.
    """
    require(
        isinstance(model, FrozenModel),
        "model must be a FrozenModel",
        type(model).__name__,
        "Use load_model, or wrap your own module with load_torch_module.",
    )
    given = {name: value for name, value in asked.items() if value is not None}
    choices = {group: given.pop(group) for group in GROUPS if isinstance(given.get(group), str)}
    parts = {group: given.pop(group) for group in GROUPS if group in given}
    cfg, names = composed(choices, {**(settings or {}), **given, "precision": model.precision})
    cfg.stages = ["invert" if "domain" in asked else "inspect"]  # checks what the call needs, and no more
    with session(cfg) as (folder, ranks):
        cfg.store = str(folder / "store" if store is None else Path(store).expanduser())
        run = assemble(cfg, names, folder, ranks, model)
        try:
            with kept_unless_void(run) as before:
                yield run.at(**parts)
                check_weights(before, model.digest())
        finally:
            model.cpu()


def whole(call: Callable[P, T]) -> Callable[P, T]:
    """`call`, once more if it finds the store damaged: what is damaged has been set aside by then."""

    @functools.wraps(call)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except Gone:
            return call(*args, **kwargs)

    return again


def kept(folder: Path, kind: str, rows: Tensor) -> tuple[TensorStore, list[str]]:
    """Tensors in a store below `folder`, for a predict loop to read; the id of each row is its digest."""
    store = TensorStore(folder, kind, {}, rows.dtype)
    ids = [tensor_digest(row) for row in rows]
    first = {digest: i for i, digest in reversed(list(enumerate(ids)))}
    unique = list(first)
    for start in range(0, len(unique), BLOCK):
        block = unique[start : start + BLOCK]
        store.write(block, rows[[first[digest] for digest in block]])
    return store, ids
