"""Where the configuration is, for the command and for Python alike."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from ood_diffusion.models.embedded import embedded
from ood_diffusion.runs.settings import log_level

GROUPS = ("model", "domain", "prior", "sampler", "selection", "solver", "grid", "extractor")
"""Groups of which a run has one choice each; together they name it."""


def sweep_group() -> str | None:
    """The name of this execution of a sweep, the same in all its runs under every launcher.

    It is made of the file in `sweeps/`, if there is one, and the sweep's folder, whose name is its time, so
    that two executions do not mix. None for a single run, and outside Hydra.
    """
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    config = HydraConfig.get()
    question = config.runtime.choices.get("sweep")
    return "_".join([*[str(question)] * bool(question), Path(config.sweep.dir).absolute().name])


for resolver in (embedded, log_level, sweep_group):  # under names of ours: a caller may have others
    OmegaConf.register_new_resolver(f"ood_diffusion.{resolver.__name__}", resolver, replace=True)


def conf_folder() -> str:
    """The configuration: in a checkout the repository's `conf/`, else the copy inside the package."""
    package = Path(__file__).parents[1]
    beside = package.parent / "conf"
    return str(beside if (beside / "config.yaml").is_file() else package / "conf")
