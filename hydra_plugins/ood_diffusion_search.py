"""The sweepers of `ood_diffusion.runs.search`, in the only package from which Hydra takes any."""

from ood_diffusion.runs.search import Search, SweepFile


class Optuna(Search):
    """``sweeper=optuna``."""


class WandbFile(SweepFile):
    """``sweeper=wandb``."""
