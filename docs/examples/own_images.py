"""Images of your own, drawn by a network that has only ever seen cats.

python own_images.py my_images

The folder holds at least 128 images of any size; half of them only judge. Two minutes on two cores.
"""

import sys

import torch
from torchvision.utils import save_image

from ood_diffusion import draw, evaluate, generate, invert, load_domain, load_model, psnr

model = load_model("cats_64")
references, held_out = load_domain("image_folder", model, path=sys.argv[1], n_references=64)

# Images to latents. The way back must be exact, or nothing below means anything.
bank = invert(model, references, steps=16)
reconstructions = generate(model, bank)
print(f"round trip: {psnr(reconstructions, references).mean():.1f} dB (below 30: raise steps)")

# New latents from the prior of the references, and what they look like.
samples = generate(model, draw(bank, 64))

# Eight references, the same after the round trip, and 24 samples: the first ones, not chosen.
rows = torch.cat([references[:8], reconstructions[:8], samples[:24]])
save_image(rows / 255, "own_images.png", nrow=8, padding=2)

# Real images of the domain score what a perfect sampler would at their number.
print(f"\nsamples: {evaluate(samples, held_out, references)}")
print(f"\nreferences: {evaluate(references, held_out)}")
