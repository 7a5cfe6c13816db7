"""What `ood_diffusion` offers to Python; its names are those of the package itself."""
