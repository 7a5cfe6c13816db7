"""Sample unseen domains from a frozen diffusion model, and measure how well it works."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ood_diffusion.api.drawing import draw
    from ood_diffusion.api.judging import Scores, evaluate
    from ood_diffusion.api.latents import Latents, generate, invert
    from ood_diffusion.api.loading import load_domain, load_model, load_scale
    from ood_diffusion.checks import UserError
    from ood_diffusion.diffusion.schedule import Schedule
    from ood_diffusion.models.base import FrozenModel
    from ood_diffusion.models.torch_module import load_torch_module
    from ood_diffusion.pixels import psnr

__version__ = "0.1.0"
__all__ = [
    "FrozenModel",
    "Latents",
    "Schedule",
    "Scores",
    "UserError",
    "draw",
    "evaluate",
    "generate",
    "invert",
    "load_domain",
    "load_model",
    "load_scale",
    "load_torch_module",
    "psnr",
]

_MODULES = {
    "api.drawing": ("draw",),
    "api.judging": ("Scores", "evaluate"),
    "api.latents": ("Latents", "generate", "invert"),
    "api.loading": ("load_domain", "load_model", "load_scale"),
    "checks": ("UserError",),
    "diffusion.schedule": ("Schedule",),
    "models.base": ("FrozenModel",),
    "models.torch_module": ("load_torch_module",),
    "pixels": ("psnr",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # a checker shall see the names above and no others

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: the command must answer `--help` at once."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """The public names, imported or not."""
        return sorted({*globals(), *__all__})
