"""`debug=nan`: where numbers stop being finite."""

from typing import Any

import pytorch_lightning as pl

from ood_diffusion.lightning.trajectory import Trajectory


class FiniteSteps(pl.Callback):
    """Raises `UserError` at the first step of a trajectory after which a number is NaN or infinite."""

    def on_predict_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """From here on the module looks at every step."""
        if isinstance(pl_module, Trajectory):
            pl_module.looking = True
