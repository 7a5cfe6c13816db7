"""Train a copy of the model's network on the references; the frozen model itself is not touched."""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from safetensors.torch import save
from torch import nn
from torch.utils.data import DataLoader

from ood_diffusion.checks import require, require_positive
from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.data import StoreDataset
from ood_diffusion.lightning.training import DenoiserTraining, StepProgress
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.report.plan.work import Share
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import check_trainable
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.source import identity
from ood_diffusion.stopping import obeying_signals
from ood_diffusion.storage.atomic import atomic_write


@dataclass(frozen=True)
class TrainingSettings:
    """What `conf/training` sets; it checks itself.

    Args:
        from_scratch: start from fresh random weights instead of the model's.
        max_steps: optimiser steps in all.
        batch_size: images per step.
        learning_rate: peak learning rate of AdamW.
        warmup_steps: steps of linear warm-up.
        ema_decay: decay of the weight average, which is what is kept.
        precision: Lightning's name of the number format inside the network.
        gradient_clip: largest gradient norm.
        checkpoint_every: steps between checkpoints, from which a killed run continues.
    """

    from_scratch: bool
    max_steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    ema_decay: float
    precision: str
    gradient_clip: float
    checkpoint_every: int

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "learning_rate", "warmup_steps", "checkpoint_every"):
            require_positive(f"training.{name}", getattr(self, name), f"Correct training.{name}.")
        require(
            0 <= self.ema_decay < 1, "training.ema_decay must lie in [0, 1)", self.ema_decay, "Try 0.999."
        )


@dataclass(frozen=True)
class Train(Stage):
    """Trains a copy of the model's network on the references.

    Args:
        training: the recipe.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images"})
    training: TrainingSettings

    def __call__(self, run: Run, earlier: Results) -> dict[str, dict[str, float]]:
        """Steps done, and the losses at the end."""
        return {"train": train(run, self.training)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless such a network can be trained in such a way."""
        check_trainable(run, "the stage train")

    def share(self, run: Run, known: Known) -> Share:
        """Optimiser steps, which are no network calls."""
        steps = f"{self.training.max_steps:,} optimiser steps"
        return Share(notes=[f"train: {steps}, not counted as network calls"])


def train(run: Run, settings: TrainingSettings) -> dict[str, float]:
    """Train for `max_steps`, resuming where a killed run stopped, and write `weights.safetensors`.

    The file (half precision, averaged weights) goes to the run folder; use it with
    ``model.weights=…``.
    """
    torch.manual_seed(run.settings.seed)
    network = copy.deepcopy(run.model.network)
    if settings.from_scratch:
        network.apply(reset)
    module = denoiser(network, run.model, settings)
    recipe = {
        "model": run.model.recipe(),
        "settings": vars(settings),
        "images": list(run.references),
        "code": identity(module),
    }
    folder = run.workspace.stores.root / "training" / fingerprint(recipe)
    run.workspace.stores.check_writable(folder)
    if run.workspace.stores.mode == "fresh":
        (folder / "last.ckpt").unlink(missing_ok=True)
    references = StoreDataset(run.pictures, run.references)
    batches = load_batches(references, batch_size=settings.batch_size, shuffle=True, drop_last=True)
    held_out = load_batches(StoreDataset(run.pictures, run.held_out), batch_size=settings.batch_size)
    trainer = fit(run.workspace.ranks.make_trainer, module, settings, folder, lambda _: batches, held_out)
    state = {name: value.half().contiguous().cpu() for name, value in inner(network).state_dict().items()}
    atomic_write(run.workspace.folder / "weights.safetensors", save(state))
    losses = {name: float(value) for name, value in trainer.callback_metrics.items()}
    return {"steps": trainer.global_step, **losses}


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
    """Batches of images without their ids, ``[B, C, H, W]`` as stored; `how` goes to `DataLoader`."""
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
