"""Sample unseen domains from a frozen diffusion model, and measure how well it works."""

__version__ = "0.1.0"
