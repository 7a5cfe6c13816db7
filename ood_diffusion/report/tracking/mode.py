"""Whether W&B goes online, settled before it can ask anyone."""

import logging
import netrc
import os
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from ood_diffusion.checks import UserError, require_choice

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
MODES = {"run": "online", "dryrun": "offline"} | {mode: mode for mode in ("online", "offline", "disabled")}
"""What WANDB_MODE may say, and what is meant."""
YES = ("1", "true", "yes", "on")
"""What WANDB_DISABLED says, in any case, where it disables W&B."""


def resolve_mode(mode: str) -> Mode:
    """Turn the setting into an explicit mode, without asking anyone.

    "auto" follows ``WANDB_DISABLED`` and ``WANDB_MODE`` where they are set, else goes online when a key is at
    hand and offline when not. "online" without a key becomes offline, with a warning.

    Raises:
        UserError: if ``WANDB_MODE`` is not a mode.
    """
    if mode == "auto" and os.environ.get("WANDB_DISABLED", "").lower() in YES:
        return "disabled"
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE", "") or ("online" if has_key() else "offline")
        require_choice("WANDB_MODE", mode, MODES)
    chosen = cast(Mode, MODES[mode])
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
    """The wandb module, imported only when a run wants it (it takes a second).

    Raises:
        UserError: if it is not installed.
    """
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise UserError("W&B logging needs the package wandb. Install it, or turn the logger off.") from error
    return wandb
