"""Whether W&B goes online, settled before it can ask anyone."""

import logging
import netrc
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from ood_diffusion.checks import require_choice

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
MODES = {"run": "online", "dryrun": "offline"} | {mode: mode for mode in ("online", "offline", "disabled")}
"""What WANDB_MODE may say, and what is meant."""
YES = ("1", "true", "yes", "on")
"""What WANDB_DISABLED says, in any case, where it disables W&B."""


def settled(mode: str) -> Mode:
    """What is asked for: "auto" follows ``WANDB_DISABLED`` and ``WANDB_MODE`` where they are set, else goes
    online when a key is at hand and offline when not.

    Raises:
        UserError: if ``WANDB_MODE`` is not a mode.
    """
    if mode == "auto" and os.environ.get("WANDB_DISABLED", "").lower() in YES:
        return "disabled"
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE", "") or ("online" if has_key() else "offline")
        require_choice("WANDB_MODE", mode, MODES)
    return cast(Mode, MODES[mode])


def resolve_mode(mode: str) -> Mode:
    """`settled`, without asking anyone: "online" without a key becomes offline, with a warning."""
    chosen = settled(mode)
    if chosen == "online" and not has_key():
        log.warning(
            "W&B: no API key found, logging offline. Run `wandb login` or set WANDB_API_KEY to go online."
        )
        return "offline"
    return chosen


def has_key() -> bool:
    """Whether a W&B key is at hand: in the environment or for W&B's host in the netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    for name in [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]:
        try:
            host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").netloc
            entries = netrc.netrc(Path(name).expanduser()).hosts
        except (OSError, ValueError, RuntimeError, netrc.NetrcParseError):  # no file, no UTF-8, no home, …
            continue
        if host in entries and entries[host][2]:
            return True
    return False


def import_wandb() -> Any:
    """The wandb module, imported only when a run wants it (it takes a second)."""
    import wandb

    return wandb


def import_early(mode: str) -> None:
    """Import all that starting a run in this mode needs, before PyTorch.

    W&B's classes search every module that is loaded for their docstrings: 0.9 s of CPU before PyTorch and
    torchmetrics are, 2.0 s after them.
    """
    if settled(mode) != "disabled":
        with suppress(Exception):  # whatever is wrong with it, `open_run` says it
            _ = import_wandb().Api  # loaded when it is first asked for
