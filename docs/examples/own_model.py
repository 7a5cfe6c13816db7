"""Your own network as the frozen model.

python own_model.py
"""

import torch
from torch import Tensor, nn
from torchvision.utils import save_image

from ood_diffusion import Schedule, draw, evaluate, generate, invert, load_domain, load_torch_module, psnr

schedule = Schedule.linear()  # the noise schedule of your training; or cosine, scaled_linear, from_betas


class Network(nn.Module):
    """A stand-in for yours: noisy images in [-1, 1] and their timesteps 0 ... T-1 -> the noise in the images.

    For images of Gaussian noise around grey the prediction is known exactly, so this one needs no training.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.variance = nn.Parameter(torch.tensor(deviation**2))
        levels = range(schedule.timesteps + 1)
        self.register_buffer("alphas", torch.tensor([schedule.alpha(t) for t in levels]))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """`x`: ``[B, 3, H, W]``; `timestep`: ``[B]``."""
        level, alphas = timestep + 1, self.get_buffer("alphas")  # levels between two timesteps too
        alpha = alphas[level.floor().long()].lerp(alphas[level.ceil().long()], level.frac()).view(-1, 1, 1, 1)
        return (1 - alpha**2).sqrt() * x / (alpha**2 * self.variance + 1 - alpha**2)


if __name__ == "__main__":
    network = Network(deviation=0.5)
    # network.load_state_dict(torch.load("my_weights.pt", weights_only=True))
    model = load_torch_module(network, image_size=64, prediction_type="epsilon", schedule=schedule)

    references, held_out = load_domain("galaxies_sim", model, n_references=64, n_held_out=128)
    bank = invert(model, references, steps=16)
    print(f"round trip: {psnr(generate(model, bank), references).mean():.1f} dB")

    # The same bank, two priors: one line each.
    for prior in ("gaussian", "span"):
        samples = generate(model, draw(bank, 64, sampler="draw", prior=prior))
        save_image(samples[:32] / 255, f"own_model_{prior}.png", nrow=8, padding=2)
        print(f"\n{prior}: {evaluate(samples, held_out, references)}")
