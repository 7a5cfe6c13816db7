"""The fine-tuning baseline: copies of the network, tuned on the references at a given cost."""

import copy
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.utils.data import DataLoader, Sampler

from ood_diffusion.fingerprint import fingerprint, weights_digest
from ood_diffusion.lightning.data import StoreDataset
from ood_diffusion.lightning.training import DenoiserTraining
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.report.results import write_json
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.run import Run
from ood_diffusion.seeding import generator
from ood_diffusion.source import identity
from ood_diffusion.stages.train import TrainingSettings, denoiser, fit, load_batches
from ood_diffusion.storage.atomic import atomic_write

log = logging.getLogger(__name__)


def job_calls(run: Run) -> int:
    """Network calls of the whole job: inversion of the references, denoising of the samples.

    Where a solver decides by what the network says, the most that it may take.
    """
    schedule, levels, settings = run.model.schedule, run.levels, run.settings
    up = calls_along(run.solver, schedule, levels)
    down = calls_along(run.solver, schedule, levels[::-1], settings.eta)
    return len(run.references) * up.most + settings.n_samples * down.most


def tuned_copy(run: Run, settings: TrainingSettings) -> FrozenModel:
    """The run's model with a copy of its network tuned on the references; the model itself stays as it is.

    The weights (float32) are kept in the store and found there by what determines them: model,
    settings, references and seed. A killed training continues where its last checkpoint is, and ends at
    the weights of an undisturbed one.
    """
    recipe = {
        "model": run.model.recipe(),
        "settings": vars(settings),
        "images": list(run.references),
        "seed": run.settings.seed,
        "code": identity(DenoiserTraining),
    }
    folder = run.workspace.stores.root / "finetuned" / fingerprint(recipe)
    weights = folder / "weights.safetensors"
    state = None if run.workspace.stores.mode == "fresh" else read_weights(weights)
    if state is None:
        run.workspace.stores.check_writable(weights)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            state = None if run.workspace.stores.mode == "fresh" else read_weights(weights)
            if state is None:
                if run.workspace.stores.mode == "fresh":
                    (folder / "last.ckpt").unlink(missing_ok=True)
                write_json(folder / "recipe.json", recipe)
                state = tuned_state(run, settings, folder)
                atomic_write(weights, save(state, metadata={"digest": weights_digest(state)}))
                (folder / "last.ckpt").unlink(missing_ok=True)
    tuned = copy.deepcopy(run.model).compute_in(run.settings.precision, run.settings.compile)
    tuned.network.load_state_dict(state)
    tuned.network_calls = 0
    return tuned


def read_weights(path: Path) -> dict[str, torch.Tensor] | None:
    """The tuned weights in a file; None if there is none, or it is damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
            digest = (file.metadata() or {}).get("digest")
    except SafetensorError:
        digest = None
    if digest is None or digest != weights_digest(state):
        log.warning("%s is damaged: the network is fine-tuned again", path)
        return None
    return state


def tuned_state(run: Run, settings: TrainingSettings, folder: Path) -> dict[str, torch.Tensor]:
    """The state dict of a copy of the network after training, on the CPU; checkpoints go to `folder`."""
    module = denoiser(copy.deepcopy(run.model.network), run.model, settings)
    dataset, seed = StoreDataset(run.pictures, run.references), run.settings.seed

    def batches(trainer: pl.Trainer) -> "DataLoader[Any]":
        order = StepBatches(len(dataset), settings.batch_size, seed, lambda: trainer.global_step)
        return load_batches(dataset, batch_sampler=order)

    watched = load_batches(StoreDataset(run.pictures, run.held_out), batch_size=settings.batch_size)
    with torch.random.fork_rng():
        without_validation = partial(run.workspace.ranks.make_trainer, limit_val_batches=0)
        fit(without_validation, module, settings, folder, batches, watched, SeedEachStep(seed))
    return {name: value.cpu().contiguous() for name, value in module.network.state_dict().items()}


class StepBatches(Sampler[list[int]]):
    """Endless batches that depend on the step alone: a resumed training sees what it would have seen.

    The items come in one random order after another; all are used equally often.

    Args:
        n: how many items there are.
        batch_size: items per step.
        seed: of the orders.
        position: the step at which a (resumed) training begins; asked when batches are first wanted.
    """

    def __init__(self, n: int, batch_size: int, seed: int, position: Callable[[], int]) -> None:
        self.n, self.batch_size, self.seed, self.position = n, batch_size, seed, position

    def __iter__(self) -> Iterator[list[int]]:
        place = self.position() * self.batch_size
        while True:
            yield [self.item(place + i) for i in range(self.batch_size)]
            place += self.batch_size

    def item(self, place: int) -> int:
        """What lies at a place of the endless order."""
        turn, index = divmod(place, self.n)
        return int(torch.randperm(self.n, generator=generator(self.seed, "finetune", turn))[index])


class SeedEachStep(pl.Callback):
    """Seeds PyTorch's global generator by the step: dropout and noise then survive a resumption.

    Args:
        seed: of the whole training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Before the step's images are mirrored and noised."""
        torch.manual_seed(generator(self.seed, "finetune step", trainer.global_step).initial_seed())
