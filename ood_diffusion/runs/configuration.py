"""Where the configuration is, for the command and for Python alike."""

from pathlib import Path

from omegaconf import OmegaConf

from ood_diffusion.models.embedded import embedded
from ood_diffusion.runs.settings import log_level
from ood_diffusion.runs.sweep_group import sweep_group

GROUPS = ("model", "domain", "prior", "sampler", "selection", "solver", "grid", "extractor")
"""Groups of which a run has one choice each; together they name it."""

for resolver in (embedded, log_level, sweep_group):  # under names of ours: a caller may have others
    OmegaConf.register_new_resolver(f"ood_diffusion.{resolver.__name__}", resolver, replace=True)


def conf_folder() -> str:
    """The configuration: in a checkout the repository's `conf/`, else the copy inside the package."""
    package = Path(__file__).parents[1]
    beside = package.parent / "conf"
    return str(beside if (beside / "config.yaml").is_file() else package / "conf")
