"""What the runs of one sweep have in common, in the words of Hydra."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode


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
