"""`python -m ood_diffusion` is `ood-diffusion`."""

from ood_diffusion.cli import main

main()
