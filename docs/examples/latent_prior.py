"""A prior learned on latents, step by step, and what the network adds to it.

python latent_prior.py

Half a minute on two cores; the printed figures are of 24 images, so read their intervals.
"""

from dataclasses import replace

import torch
from torchvision.utils import save_image

from ood_diffusion import draw, evaluate, generate, invert, load_domain, load_model, psnr

model = load_model("cats_64")
references, held_out = load_domain("galaxies_sim", model, n_references=24, n_held_out=64)

# Images to latents and back.
bank = invert(model, references, level=500, steps=4)
print(f"round trip: {psnr(generate(model, bank), references).mean():.1f} dB")

# A prior learned on the latents (Gaussian in their span), and the images that new latents decode to.
samples = generate(model, draw(bank, 24, prior="span", sampler="draw"))

# Their twin: the same prior and the same random numbers on pixels, which lie in [-1, 1]; no network.
pixels = replace(bank, values=references / 127.5 - 1)
drawn = draw(pixels, len(samples), prior="span", sampler="draw").values
twin = ((drawn + 1) * 127.5).round().clamp(0, 255).byte()

# The network adds something only if the samples score better than their twin.
print(f"\nsamples: {evaluate(samples, held_out, references)}")
print(f"\ntwin: {evaluate(twin, held_out, references)}")
save_image(torch.cat([references[:8], samples[:8], twin[:8]]) / 255, "latent_prior.png", nrow=8, padding=2)
