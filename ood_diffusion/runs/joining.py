"""How the ranks of a run meet: as many as were asked for, with one folder, and with the same parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from ood_diffusion.checks import UserError, require
from ood_diffusion.compat import is_lost_connection
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.launch import started_by_cluster
from ood_diffusion.runs.outcome import RankLost
from ood_diffusion.runs.run import Run


def trainer_maker(trainer: Any, place: int = 0) -> Callable[..., pl.Trainer]:
    """Builds Trainers from the group `trainer`, each for one device: ranks share out the loops themselves.

    No Trainer knows of SLURM, which Lightning would ask for its tasks, and whose signals it would take:
    whoever submitted a job requeues it (submitit does).

    Args:
        trainer: its settings; `devices` is how many ranks there are on a machine, or the GPUs that they use.
        place: number of this run among those that run side by side on this machine; a rank has its own.
    """
    if started_by_cluster():
        place = environment().local_rank()
    asked = trainer.get("devices", 1)
    there = torch.cuda.device_count() if trainer.get("accelerator", "auto") != "cpu" else 0
    gpus = [*(range(there) if isinstance(asked, int | str) else asked)] if there else []
    device = [gpus[place % len(gpus)]] if gpus else 1
    return partial(build, trainer, devices=device, num_nodes=1, plugins=[LightningEnvironment()])


def environment() -> ClusterEnvironment:
    """Of this process, which ``torchrun`` or ``srun`` has started."""
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else SLURMEnvironment(False)


def join(ranks: Ranks, size: int, run_folder: Path) -> None:
    """Meet the ranks that ``torchrun`` or ``srun`` started.

    Raises:
        UserError: if they are not as many as the settings ask for, or have different output folders.
    """
    started = environment()
    require(
        started.world_size() == size,
        "trainer.devices times trainer.num_nodes must be the number of tasks that were started",
        f"{size} for {started.world_size()} tasks",
        "Set trainer.devices to the tasks per node and trainer.num_nodes to the nodes.",
    )
    ranks.join(started)
    folders = sorted(set(ranks.agree(str(run_folder))))
    require(
        len(folders) == 1,
        "all ranks of a run must have one output folder",
        folders,
        "Set hydra.run.dir to one without the time, such as outputs/runs/$SLURM_JOB_ID.",
    )


@contextmanager
def others_alive(ranks: Ranks) -> Iterator[None]:
    """Turn the broken connection that a dead rank leaves behind into `RankLost`."""
    try:
        yield
    except RuntimeError as error:
        if ranks.size > 1 and is_lost_connection(error):
            raise RankLost from None
        raise


def together(ranks: Ranks, assemble: Callable[[], Run]) -> Run:
    """The run of every rank, or the first rank's mistake on all of them.

    Raises:
        UserError: if any rank could not assemble it, or the weights of two ranks differ.
    """
    outcome: Run | str
    try:
        outcome = assemble()
    except UserError as error:
        outcome = str(error)
    mistakes = ranks.agree(outcome if isinstance(outcome, str) else None)
    first = next((i for i, found in enumerate(mistakes) if found is not None), None)
    if first is not None or isinstance(outcome, str):
        raise UserError(f"{mistakes[first]} (on rank {first})" if first else mistakes[0])
    if ranks.size > 1:
        digests = ranks.agree(outcome.model.digest())
        remedy = "Copy one file to all nodes."
        require(len(set(digests)) == 1, "all ranks must load the same weights", digests, remedy)
    return outcome
