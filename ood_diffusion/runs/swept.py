"""What our sweepers have in common. Every Hydra program on the machine imports it: nothing heavy here."""

from collections.abc import Mapping, Sequence

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Swept(Sweeper):
    """The command, and the values of the sweep's file.

    Args:
        params: key -> values, in Hydra's grammar, which those of the command line replace.
    """

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def __init__(self, params: Mapping[str, str] | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before `sweep`; `UserError` for a setting that no run can read."""
        from ood_diffusion.runs.configuration import require_read  # its import changes OmegaConf

        require_read(config, config.hydra)
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def words(self, arguments: Sequence[str]) -> list[str]:
        """The overrides of the sweep's file, then those of the command line."""
        return [*(f"{key}={values}" for key, values in self.params.items()), *arguments]
