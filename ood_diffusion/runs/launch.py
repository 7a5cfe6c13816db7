"""Run a run in this process, on ranks that a cluster has started, or on ranks started here.

Ranks of this machine are started by PyTorch's elastic agent (what ``torchrun`` is made of), one group per
run with the composed configuration and the run's own folder: no rank composes anything, so that ranks
work the same in a multirun and under every launcher. Lightning's launcher would run the command once more,
and `torch.multiprocessing.spawn` reports the first rank that it sees end, not the one that made it end.
"""

import gc
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import UserError, require
from ood_diffusion.report.tracking.mode import import_early
from ood_diffusion.report.tracking.settings import read_tracking
from ood_diffusion.runs.outcome import LOST, RankFailure, end
from ood_diffusion.stopping import stopped_by


def launch(
    cfg: DictConfig, names: Mapping[str, str], run_folder: Path, logging_settings: Any, place: int = 0
) -> None:
    """Run one run on as many ranks as `cfg.trainer` asks for.

    Args:
        cfg: the composed configuration.
        names: the choice made in each configuration group.
        run_folder: the run's own output folder.
        logging_settings: of rank 0, as ``logging.config.dictConfig`` takes them.
        place: number of this run among those that run side by side on this machine: GPUs go round.

    Raises:
        UserError: for wrong settings or data, whichever rank finds them.
        RankFailure: if a rank started here died.
    """
    wanted = ranks_wanted(cfg.trainer)
    if started_by_cluster() or wanted == 1:
        if leads() and "_target_" not in cfg.logger:  # W&B's settings, no logger of Lightning's
            import_early(read_tracking(cfg.logger).mode)
        with collecting_no_garbage():
            from ood_diffusion.runs.execute import execute

        execute(cfg, names, run_folder, wanted, place)
        return
    require(
        int(cfg.trainer.get("num_nodes", 1)) == 1,
        "ranks on several nodes must be started by the cluster",
        f"trainer.num_nodes={cfg.trainer.num_nodes}",
        "Use launcher=slurm, or srun (docs/cluster.md).",
    )
    # resolved while it is the root, which the names in ${…} start from
    resolved = OmegaConf.to_container(cfg, resolve=True)
    settings = {"cfg": resolved, "names": dict(names), "logging": logging_settings}
    with TemporaryDirectory() as folder:
        OmegaConf.save(OmegaConf.create(settings), f"{folder}/settings.yaml")
        start_ranks(wanted, f"{folder}/settings.yaml", str(run_folder))


@contextmanager
def collecting_no_garbage() -> Iterator[None]:
    """For the first import of PyTorch and what builds on it: millions of objects that stay. Python would
    search them for garbage a thousand times, a tenth of the import's time, and in every full collection.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def start_ranks(number: int, *arguments: str) -> None:
    """Run ``python -m ood_diffusion.runs.rank`` `number` times side by side until all have ended.

    Raises:
        RankFailure: for the first that failed; the others are stopped.
        SystemExit: if this process is asked to end; so are they.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # we say it in one line
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cpus() // number)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=number,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=uuid.uuid4().hex,
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "ood_diffusion.runs.rank", *arguments)
    except ChildFailedError as error:
        # a rank that found a mistake, or was killed, takes the others with it: name it, not them
        rank, failure = min(error.failures.items(), key=lambda item: first_cause(*item))
        raise RankFailure(rank, failure.exitcode) from None
    except SignalException as stop:  # the agent has stopped the ranks
        end(128 + stop.sigval, stopped_by(stop.sigval))


def cpus() -> int:
    """How many CPUs this process may use, of those that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_cause(rank: int, failure: Any) -> tuple[bool, bool, bool, int, int]:
    """What sorts failures of ranks by how likely each brought the others about: the least did."""
    code = failure.exitcode
    stopped = code in (LOST, 128 + signal.SIGTERM, -signal.SIGTERM)  # by another's end, or by the agent
    return code != 2, code != -signal.SIGKILL, stopped, failure.timestamp, rank


def ranks_wanted(trainer: Mapping[str, Any]) -> int:
    """How many ranks the settings `devices` and `num_nodes` of a Trainer ask for."""
    devices, nodes = trainer.get("devices", 1), int(trainer.get("num_nodes", 1))
    if devices in ("auto", -1, "-1"):
        import torch

        return nodes * max(1, torch.cuda.device_count())
    if not isinstance(devices, int | str):
        return nodes * len(devices)
    if not str(devices).isdigit() or int(devices) < 1:
        raise UserError(f"trainer.devices must be a positive integer, a list or auto, but got {devices!r}.")
    return nodes * int(devices)


def leads() -> bool:
    """Whether this process is the only one of its run, or the first of those that a cluster has started."""
    return not started_by_cluster() or os.environ.get("RANK", os.environ.get("SLURM_PROCID")) == "0"


def started_by_cluster() -> bool:
    """Whether this process is one of several that ``srun`` or ``torchrun`` started together."""
    return "TORCHELASTIC_RUN_ID" in os.environ or int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1
