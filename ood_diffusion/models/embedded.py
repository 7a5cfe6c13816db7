"""Weights that travel inside the package."""

from importlib.resources import files


def embedded(name: str) -> str:
    """Path of the embedded weights file `name`; in YAML: ``${embedded:cats-64.safetensors}``."""
    return str(files("ood_diffusion.models") / "weights" / name)
