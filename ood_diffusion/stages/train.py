"""Train a copy of the model's network on the references; the frozen model itself is not touched."""

import copy
from functools import partial

import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.lightning.data import StoreDataset
from ood_diffusion.lightning.training import DenoiserTraining
from ood_diffusion.stages.cell import Cell
from ood_diffusion.storage.atomic import atomic_write


def train(cell: Cell) -> None:
    """Train for `max_steps`, resuming where a killed run stopped, and write `weights.safetensors`.

    The file (half precision, averaged weights) goes to the run folder; use it with
    ``model.weights=…``.
    """
    settings = cell.training
    torch.manual_seed(cell.settings.seed)
    network = copy.deepcopy(cell.model.network).train().requires_grad_(True)
    if settings.from_scratch:
        network.apply(reset)
    module = DenoiserTraining(
        network,
        cell.model.schedule,
        cell.model.prediction_type,
        settings.learning_rate,
        settings.warmup_steps,
        settings.max_steps,
    )
    recipe = {"model": cell.model.recipe(), "settings": vars(settings), "images": list(cell.references)}
    folder = cell.store_root / "training" / fingerprint(recipe)
    trainer = cell.ranks.make_trainer(
        max_steps=settings.max_steps,
        precision=settings.precision,
        gradient_clip_val=settings.gradient_clip,
        enable_checkpointing=True,
        log_every_n_steps=1,
        callbacks=[
            EMAWeightAveraging(decay=settings.ema_decay),
            ModelCheckpoint(
                folder, save_last=True, save_top_k=0, every_n_train_steps=settings.checkpoint_every
            ),
            TQDMProgressBar(),
        ],
    )
    last = folder / "last.ckpt"
    trainer.fit(module, *loaders(cell), ckpt_path=last if last.exists() else None, weights_only=True)
    state = {name: value.half().contiguous().cpu() for name, value in inner(network).state_dict().items()}
    atomic_write(cell.run_folder / "weights.safetensors", save(state))
    losses = {name: float(value) for name, value in trainer.callback_metrics.items()}
    cell.results["train"] = {"steps": trainer.global_step, **losses}


def loaders(cell: Cell) -> tuple["DataLoader[tuple[str, Tensor]]", "DataLoader[tuple[str, Tensor]]"]:
    """Shuffled references to train on, held-out images to watch for memorisation."""
    load = partial(
        DataLoader,
        batch_size=cell.training.batch_size,
        collate_fn=lambda rows: torch.stack([x for _, x in rows]),
    )
    held_out = StoreDataset(cell.pictures, cell.held_out)
    return load(StoreDataset(cell.pictures, cell.references), shuffle=True, drop_last=True), load(held_out)


def reset(module: nn.Module) -> None:
    """Fresh default weights for one layer."""
    again = getattr(module, "reset_parameters", None)
    if callable(again):
        again()


def inner(network: nn.Module) -> nn.Module:
    """The network whose state dict the model's weights file holds."""
    unet = getattr(network, "unet", network)
    return unet if isinstance(unet, nn.Module) else network
