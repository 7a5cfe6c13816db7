"""Where the configuration is, for the command and for Python alike."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import require

GROUPS = ("model", "domain", "prior", "sampler", "selection", "solver", "grid", "extractor")
"""Groups of which a run has one choice each; together they name it."""


def embedded(name: str) -> str:
    """Path of the embedded weights `name`; in YAML: ``${ood_diffusion.embedded:cats-64.safetensors}``."""
    return str(files("ood_diffusion.models") / "weights" / name)


def sweep_folder() -> Path | None:
    """The sweep that this run is of, which may have been started alone, as a task of a job array is.

    None for a single run, and outside Hydra.
    """
    if not HydraConfig.initialized():
        return None
    config = HydraConfig.get()
    folder = Path(os.path.abspath(config.sweep.dir))  # as Hydra names the run's: without ".."
    own = "" if OmegaConf.is_missing(config.runtime, "output_dir") else config.runtime.output_dir
    return folder if config.mode == RunMode.MULTIRUN or folder in Path(own).parents else None


def sweep_group() -> str | None:
    """The name of the sweep that this run is of, the same in all its runs; None for a single run.

    It is made of the file in `sweeps/`, if there is one, and the sweep's folder, whose name is its time, so
    that two sweeps do not mix.
    """
    if (folder := sweep_folder()) is None:
        return None
    question = HydraConfig.get().runtime.choices.get("sweep")
    return "_".join([*[str(question)] * bool(question), folder.name])


def run_name() -> str:
    """The name of this run's folder: in a sweep its number."""
    return Path(HydraConfig.get().runtime.output_dir).name


def log_level(output: str) -> str:
    """The least level of a message that reaches the terminal under this setting of `output`."""
    return "WARNING" if output in ("quiet", "json") else "INFO"


for resolver in (embedded, log_level, run_name, sweep_group):  # under names of ours: a caller may have others
    OmegaConf.register_new_resolver(f"ood_diffusion.{resolver.__name__}", resolver, replace=True)


def conf_folder() -> str:
    """The configuration: in a checkout the repository's `conf/`, else the copy inside the package."""
    package = Path(__file__).parents[1]
    beside = package.parent / "conf"
    return str(beside if (beside / "config.yaml").is_file() else package / "conf")


def quoted(value: str) -> str:
    """A value as Hydra reads it again, whatever is in it."""
    return QuotedString(value, Quote.single).with_quotes()


def config_folders(hydra: Any = None) -> list[str]:
    """Where settings come from: the configuration, and a user's folders.

    Args:
        hydra: what Hydra knows of the command; None: of the run that it runs, if there is one.
    """
    if hydra is None and HydraConfig.initialized():
        hydra = HydraConfig.get()
    sources = hydra.runtime.config_sources if hydra else []
    return [conf_folder(), *(each.path for each in sources if each.schema == "file")]


def require_read(cfg: DictConfig, hydra: Any) -> None:
    """Raise `UserError` for a setting that the command has added by ``+`` and that nothing reads.

    What is added to a part, the part itself refuses. What a setting refers to as ``${name}`` is read.

    Args:
        cfg: the composed configuration of a run or a sweep.
        hydra: what Hydra knows of the command.
    """
    if not (added := [word for word in hydra.overrides.task if word.startswith("+")]):
        return
    known = {str(key) for key in OmegaConf.load(Path(conf_folder(), "config.yaml"))}
    known |= {str(group).partition("/")[0] for group in hydra.runtime.choices}
    inside = (each for folder in config_folders(hydra) for each in Path(folder).glob("*"))
    known |= {each.name for each in inside if each.is_dir()}
    text = str(OmegaConf.to_container(cfg, resolve=False))
    for word in added:
        name = re.split("[=.@/]", word.lstrip("+"), maxsplit=1)[0]
        close = get_close_matches(name, known, n=3)
        remedy = f"Did you mean {', '.join(close)}?" if close else "Leave it out."
        rule = "a setting added by + must be one that something reads"
        require(name in known or f"${{{name}" in text, rule, word, remedy)


def said_of(name: str, targets: Sequence[str]) -> str:
    """The first sentence of what a YAML file says of a setting for which it has no value; empty if nothing.

    Args:
        name: of the setting, dotted.
        targets: `_target_`s of the parts around it; the file has one of them.
    """
    line = re.compile(rf"((?:^ *#.*\n)*)^ *{re.escape(name.rpartition('.')[2])}: *[?]{{3}} *(#.*)?$", re.M)
    for path in (
        path for folder in config_folders() for path in Path(folder, name.partition(".")[0]).glob("*.yaml")
    ):
        text = path.read_text(encoding="utf-8")
        if (found := line.search(text)) and any(f"_target_: {target}\n" in text for target in targets):
            said = " ".join((found[2] or found[1]).replace("#", " ").split())
            return f"{said[:1].upper()}{said[1:]}".partition(". ")[0].rstrip(".")
    return ""
