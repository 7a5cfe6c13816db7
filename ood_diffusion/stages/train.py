"""Train a copy of the model's network on the references; the frozen model itself is not touched."""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from safetensors.torch import save
from torch import nn
from torch.utils.data import DataLoader

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.data import StoreDataset
from ood_diffusion.lightning.training import DenoiserTraining, StepProgress
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.training_settings import TrainingSettings
from ood_diffusion.source import identity
from ood_diffusion.stopping import obeying_signals
from ood_diffusion.storage.atomic import atomic_write


def train(cell: Cell) -> None:
    """Train for `max_steps`, resuming where a killed run stopped, and write `weights.safetensors`.

    The file (half precision, averaged weights) goes to the run folder; use it with
    ``model.weights=…``.
    """
    settings = cell.training
    torch.manual_seed(cell.settings.seed)
    network = copy.deepcopy(cell.model.network)
    if settings.from_scratch:
        network.apply(reset)
    module = denoiser(network, cell.model, settings)
    recipe = {
        "model": cell.model.recipe(),
        "settings": vars(settings),
        "images": list(cell.references),
        "code": identity(module),
    }
    folder = cell.stores.root / "training" / fingerprint(recipe)
    cell.stores.check_writable(folder)
    if cell.stores.mode == "fresh":
        (folder / "last.ckpt").unlink(missing_ok=True)
    references = StoreDataset(cell.pictures, cell.references)
    batches = load_batches(references, batch_size=settings.batch_size, shuffle=True, drop_last=True)
    held_out = load_batches(StoreDataset(cell.pictures, cell.held_out), batch_size=settings.batch_size)
    trainer = fit(cell.ranks.make_trainer, module, settings, folder, lambda _: batches, held_out)
    state = {name: value.half().contiguous().cpu() for name, value in inner(network).state_dict().items()}
    atomic_write(cell.run_folder / "weights.safetensors", save(state))
    losses = {name: float(value) for name, value in trainer.callback_metrics.items()}
    cell.results["train"] = {"steps": trainer.global_step, **losses}


def denoiser(network: nn.Module, model: FrozenModel, settings: TrainingSettings) -> DenoiserTraining:
    """What trains `network`, a copy of the model's, in place."""
    return DenoiserTraining(
        network.train().requires_grad_(True),
        model.schedule,
        model.prediction_type,
        settings.learning_rate,
        settings.warmup_steps,
        settings.max_steps,
    )


def fit(
    make_trainer: Callable[..., pl.Trainer],
    module: DenoiserTraining,
    settings: TrainingSettings,
    folder: Path,
    batches: "Callable[[pl.Trainer], DataLoader[Any]]",
    held_out: "DataLoader[Any]",
    *more: pl.Callback,
) -> pl.Trainer:
    """Train `module` in place for `max_steps`, from the last checkpoint in `folder` if there is one.

    Args:
        make_trainer: builds the Trainer from keyword arguments.
        module: its network ends as the average of its weights over the steps.
        settings: of the training.
        folder: where checkpoints lie.
        batches: the images to train on, for the trainer that will ask for them.
        held_out: images to watch for memorisation.
        more: callbacks beside those that average, save and show.

    Returns:
        The trainer, when it has finished.
    """
    every, shown = settings.checkpoint_every, ExitStack()
    callbacks: list[pl.Callback] = [
        ModelCheckpoint(folder, save_last=True, save_top_k=0, every_n_train_steps=every),
        StepProgress(shown),
        *more,
    ]
    if settings.ema_decay:
        callbacks.insert(0, EMAWeightAveraging(decay=settings.ema_decay))
    trainer = make_trainer(
        max_steps=settings.max_steps,
        precision=settings.precision,
        gradient_clip_val=settings.gradient_clip,
        enable_checkpointing=True,
        enable_progress_bar=False,
        log_every_n_steps=1,
        callbacks=callbacks,
    )
    last = folder / "last.ckpt"
    with obeying_signals(), shown:
        trainer.fit(
            module, batches(trainer), held_out, ckpt_path=last if last.exists() else None, weights_only=True
        )
    return trainer


def load_batches(dataset: StoreDataset, **how: Any) -> "DataLoader[Any]":
    """Batches of images without their ids, uint8 ``[B, 3, H, W]``; `how` goes to `DataLoader`."""
    return DataLoader(dataset, collate_fn=lambda rows: torch.stack([x for _, x in rows]), **how)


def reset(module: nn.Module) -> None:
    """Fresh default weights for one layer."""
    again = getattr(module, "reset_parameters", None)
    if callable(again):
        again()


def inner(network: nn.Module) -> nn.Module:
    """The network whose state dict the model's weights file holds."""
    unet = getattr(network, "unet", network)
    return unet if isinstance(unet, nn.Module) else network
