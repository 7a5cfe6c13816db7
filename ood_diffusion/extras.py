"""Optional libraries, loaded when the data or model at hand needs them."""

from importlib import import_module
from typing import Any

from ood_diffusion.checks import UserError


def import_extra(module: str, extra: str) -> Any:
    """Import a module that only the extra `extra` of this package installs.

    Raises:
        UserError: with the command that installs it, if it is missing.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"this needs the package {package}, which cannot be imported ({error}). "
            f'Install it with: pip install "ood-diffusion[{extra}]"'
        ) from error
