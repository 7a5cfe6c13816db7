"""A progress bar that moves with every solver step, not only with every batch."""

from functools import partial
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Rate(ProgressColumn):
    """Images per second since the task began."""

    def render(self, task: Task) -> Text:
        """`Progress` calls this for every refresh."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} images/s" if speed else "… images/s", style="cyan")


def progress_bar() -> Progress:
    """The one look of a progress bar: stage, bar, images done, rate, elapsed and remaining time."""
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=120,
    )


class ImageProgress(ProgressBar):
    """Shows images done, images per second and the time left of one predict loop.

    Args:
        description: the stage.
        total: images to do.
    """

    def __init__(self, description: str, total: int) -> None:
        super().__init__()
        self.description, self.total = description, total
        self._enabled = True
        self.bar = progress_bar()

    def enable(self) -> None:
        """Called by Lightning on the rank that shows progress."""
        self._enabled = True

    def disable(self) -> None:
        """Called by Lightning on all other ranks."""
        self._enabled = False

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar and let the module move it."""
        self.bar.disable = not self._enabled
        task = self.bar.add_task(self.description, total=self.total)
        self.bar.start()
        advance = partial(self._advance, task, trainer.world_size)
        setattr(pl_module, "on_progress", advance)  # noqa: B010

    def _advance(self, task: TaskID, ranks: int, images: float) -> None:
        self.bar.advance(task, images * ranks)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar, full: fractions of images may not have added up exactly."""
        for task in self.bar.task_ids:
            self.bar.update(task, completed=self.total)
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: Any) -> None:
        """Leave the terminal usable."""
        self.bar.stop()
