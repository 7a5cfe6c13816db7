"""Weights that travel inside the package."""

from importlib.resources import files


def embedded(name: str) -> str:
    """Path of the embedded weights `name`; in YAML: ``${ood_diffusion.embedded:cats-64.safetensors}``."""
    return str(files("ood_diffusion.models") / "weights" / name)
