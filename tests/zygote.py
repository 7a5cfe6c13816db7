"""Runs `ood-diffusion` in forks of one process that has imported everything: the imports take 8 seconds.

Started as ``python -m tests.zygote``; each line on its standard input is a job as JSON, answered by a line
with the exit status. A fork is a process of its own, as if the command had just been started: before the
fork nothing ran but imports, and what fills caches of Hydra's and Matplotlib's, a second of each run.
"""

import gc
import importlib
import io
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import ood_diffusion


def serve() -> None:
    import_everything()
    fill_caches()
    gc.freeze()  # what was imported is garbage in no fork
    from ood_diffusion import cli

    for line in sys.stdin:
        job = json.loads(line)
        child, *others = [begin(job, cli.main) for _ in range(job.get("copies", 1))]
        ended, status = False, 0
        while "kill_at" in job and not ended:
            if len(list(Path(job["folder"]).rglob(job["shards"]))) >= job["kill_at"]:
                time.sleep(job["delay"])
                os.kill(child, job["number"])
                break
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.01)
        if not ended:
            _, status = os.waitpid(child, 0)
        for other in others:
            _, status = os.waitpid(other, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def begin(job: dict[str, Any], main: object) -> int:
    """Fork a process that does the job; its number."""
    child = os.fork()
    if child:
        return child
    with open(job["stdout"], "ab", 0) as out, open(job["stderr"], "ab", 0) as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["folder"])
    for name, value in job.get("environment", {}).items():
        os.environ[name] = value
        if not value:
            del os.environ[name]
    sys.argv = ["ood-diffusion", *job["overrides"]]
    sys.path[0] = job["folder"]  # where `python -m` looks first
    status = run(main)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def import_everything() -> None:
    """Every module of the package, and the heavy ones that its functions import."""
    for module in pkgutil.walk_packages(ood_diffusion.__path__, "ood_diffusion."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        "tests.lightning.networks",
        "diffusers.models.unets.unet_2d",
        "sklearn.decomposition",
        "timm",
        "wandb",
    ):
        importlib.import_module(name)


def fill_caches() -> None:
    """Of Hydra's grammar and Matplotlib's fonts."""
    from hydra import compose, initialize_config_dir
    from matplotlib.figure import Figure

    from ood_diffusion.compat import hydra_apart
    from ood_diffusion.runs.configuration import conf_folder

    with hydra_apart(), initialize_config_dir(conf_folder(), version_base="1.3"):
        compose("config", ["eta=0.5", "stages=[invert]"])
    figure = Figure()
    figure.add_subplot().set_xlabel("$x^2$")
    for kind in ("svg", "pdf"):
        figure.savefig(io.BytesIO(), format=kind)


def run(main: object) -> int:
    """What the interpreter does with what `main` raises."""
    import traceback

    try:
        main()  # type: ignore[operator]
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    serve()
