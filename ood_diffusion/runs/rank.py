"""One rank of a run; `runs.launch` starts it: ``python -m ood_diffusion.runs.rank SETTINGS FOLDER``."""

import logging
import os
import sys
import threading
import time
from pathlib import Path

from hydra.core.utils import configure_log
from omegaconf import OmegaConf


def main() -> None:
    """Run the run described in the YAML file SETTINGS; why it failed is left in FOLDER."""
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    from ood_diffusion.runs.execute import execute
    from ood_diffusion.runs.failure import explained, recorded
    from ood_diffusion.runs.launch import ranks_wanted
    from ood_diffusion.runs.outcome import LOST, RankLost, reported
    from ood_diffusion.stopping import end_on_signals
    from ood_diffusion.terminal import replace_unprintable

    replace_unprintable()
    end_on_signals(printed=False)
    settings = OmegaConf.load(sys.argv[1])
    if os.environ["RANK"] == "0":
        configure_log(settings.logging)
    folder = Path(sys.argv[2])
    try:
        with reported(printed=False), recorded(folder, first=False), explained(folder, settings.cfg):
            try:
                execute(settings.cfg, settings.names, folder, ranks_wanted(settings.cfg.trainer))
            except RankLost:
                sys.exit(LOST)
    except SystemExit as stop:
        # unwinding can abort in connections whose other end has gone, and an abort would hide the status
        logging.shutdown()
        sys.stderr.flush()
        os._exit(stop.code if isinstance(stop.code, int) else 1)


def end_with(parent: int) -> None:
    """End this process when its parent has died, however it died."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
