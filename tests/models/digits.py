"""A network as many tutorials train it on MNIST: one channel, 28 x 28, T = 1000, whole timesteps only.

The module is what a user writes for weights that lie in a plain state dict: a table looked up by an integer
for each image, LayerNorm over [C, H, W], names of its own.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits
from torch import Tensor, nn

from ood_diffusion.diffusion.schedule import Schedule


class Block(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([width, 28, 28])
        self.time = nn.Linear(32, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.norm(x) + self.time(time)[:, :, None, None]
        return x + self.conv2(torch.relu(self.conv1(h)))


class DigitsNetwork(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.table = nn.Embedding(1000, 32)
        self.first, self.last = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)
        self.blocks = nn.ModuleList([Block(width, dilation) for dilation in (1, 2, 4)])

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time, h = self.table(t), self.first(x)
        for block in self.blocks:
            h = block(h, time)
        return self.last(h)


def digits() -> NDArray[np.float64]:
    """[1797, 8, 8], 0 … 16."""
    return np.asarray(load_digits().images, dtype=np.float64)


def letters(n: int) -> NDArray[np.float64]:
    """Capitals in a little disorder, [n, 28, 28], 0 … 16."""
    rng, font = np.random.default_rng(0), ImageFont.load_default(size=22)
    drawn = []
    for _ in range(n):
        page = Image.new("L", (28, 28))
        place = float(rng.integers(2, 10)), float(rng.integers(-1, 7))
        letter, ink = chr(65 + int(rng.integers(26))), int(rng.integers(150, 256))
        ImageDraw.Draw(page).text(place, letter, fill=ink, font=font)
        drawn.append(np.asarray(page.rotate(float(rng.uniform(-15, 15))), dtype=np.float64) / 255 * 16)
    return np.stack(drawn)


def train(folder: Path, steps: int = 150) -> Path:
    """A few seconds of training; the plain state dict that is left."""
    torch.manual_seed(0)
    network, schedule = DigitsNetwork(), Schedule.linear()
    signal = torch.tensor([schedule.alpha(k + 1) for k in range(1000)])
    images = nn.functional.interpolate(torch.from_numpy(digits()).float()[:, None] / 8 - 1, size=28)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(steps):
        x0, t = images[torch.randint(len(images), (24,))], torch.randint(1000, (24,))
        alpha, noise = signal[t].view(-1, 1, 1, 1), torch.randn(24, 1, 28, 28)
        loss = (network(alpha * x0 + (1 - alpha**2).sqrt() * noise, t) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(network.state_dict(), folder / "digits.pt")
    return folder / "digits.pt"
