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


def resolve_mode(mode: str) -> Mode:
    """Turn the setting into an explicit mode, without asking anyone.

    "auto" follows ``WANDB_MODE`` when it is set, else goes online when a key is at hand and offline
    when not. "online" without a key becomes offline, with a warning.

    Raises:
        UserError: if the setting or ``WANDB_MODE`` is not a mode.
    """
    require_choice("logger mode", mode, ("auto", "online", "offline", "disabled"))
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE", "") or ("online" if has_key() else "offline")
        require_choice("WANDB_MODE", mode, MODES)
    chosen = cast(Mode, MODES[mode])
    if chosen == "online" and not has_key():
        log.warning(
            "W&B: no API key at hand, logging offline. Run `wandb login` or set WANDB_API_KEY to go online."
        )
        return "offline"
    return chosen


def has_key() -> bool:
    """Whether a W&B key is at hand: in the environment or for W&B's host in the netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    hosts = _hosts()
    for name in [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]:
        try:
            entries = netrc.netrc(Path(name).expanduser()).hosts
        except (OSError, netrc.NetrcParseError):
            continue
        if any(host in entries and entries[host][2] for host in hosts):
            return True
    return False


def _hosts() -> set[str]:
    wandb = import_wandb()
    own = urlsplit(wandb.Settings().base_url).netloc
    chosen = os.environ.get("WANDB_BASE_URL")
    return {urlsplit(chosen).netloc} if chosen else {own, "api.wandb.ai"}


def import_wandb() -> Any:
    """The wandb module, imported only when a run wants it (it takes a second).

    Raises:
        UserError: if it is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise UserError("W&B logging needs the package wandb. Install it, or turn the logger off.") from error
    return wandb
