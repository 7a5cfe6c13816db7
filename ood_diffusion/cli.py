"""The command `ood-diffusion`: the only place where Hydra starts.

Heavy libraries are imported when a job runs, after its knobs have been checked, so that `--help` and
mistakes in the configuration answer at once. A user's mistake ends with one message and exit status 2,
without a traceback.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ood_diffusion.checks import UserError
from ood_diffusion.models.embedded import embedded
from ood_diffusion.stages.settings import read_settings

DISK_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR)
GROUPS = ("model", "domain", "prior", "sampler", "selection", "solver", "grid", "extractor")


def conf_folder() -> str:
    """The configuration: in a checkout the repository's `conf/`, else the copy inside the package."""
    package = Path(__file__).parent
    beside = package.parent / "conf"
    return str(beside if (beside / "config.yaml").is_file() else package / "conf")


OmegaConf.register_new_resolver("embedded", embedded, replace=True)


@hydra.main(version_base="1.3", config_path=conf_folder(), config_name="config")
def job(cfg: DictConfig) -> None:
    """One run or one cell of a multirun."""
    read_settings(cfg)
    from ood_diffusion.stages.run import run

    config = HydraConfig.get()
    names = {group: str(config.runtime.choices[group]) for group in GROUPS}
    run(cfg, names, Path(config.runtime.output_dir))


def main() -> None:
    """Entry point; exit status 0 for success, 2 for a mistake of the user's, 1 for one of ours."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here instead of being printed there
    try:
        job()
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(f"error: cannot write: {error}. Free space or change store and hydra.run.dir.", file=sys.stderr)
        sys.exit(2)


def explain(error: Exception) -> str:
    """The message a user needs, without the library's internals."""
    if isinstance(error, OmegaConfBaseException):
        key: Any = error.full_key
        return f"{key}: {str(error).splitlines()[0]}" if key else str(error)
    return str(error)


if __name__ == "__main__":
    main()
