"""The method as a script, the way it was published: one image at a time, one candidate at a time, fp32.

Written from the description in arXiv 2310.09213 and its appendix, with the embedded network: 80 DDIM
steps uniform in t each way to level 900, the whole bank saved after every image, slerp between two
inverted latents at ten points, three geometric tests in Python loops over ten random references,
features one image at a time. The constants of the tests are learned from the references, since the
published ones belong to 256 × 256 pixels.

    python -m benchmarks.naive FOLDER OUT    (FOLDER/references, FOLDER/held_out; PNGs and figures go to OUT)
"""

import json
import math
import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.linalg import sqrtm
from torch import Tensor

from benchmarks.networks import embedded_model
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0

T_0, N_STEPS, COMPANIONS, TOLERANCE, ROUND_TRIPS = 900, 80, 10, 2.0, 16
BETAS = np.linspace(1e-4, 0.02, 1000)
ALPHA_BAR = np.concatenate([[1.0], np.cumprod(1 - BETAS)])


def ddim(network: torch.nn.Module, x: Tensor, a: int, b: int) -> Tensor:
    """One deterministic step between timesteps `a` and `b` (-1 is the clean image)."""
    bar_a, bar_b = ALPHA_BAR[a + 1], ALPHA_BAR[b + 1]
    v = network(x, torch.tensor(float(max(a, 0))))
    eps = math.sqrt(bar_a) * v + math.sqrt(1 - bar_a) * x
    clean = (x - math.sqrt(1 - bar_a) * eps) / math.sqrt(bar_a)
    return math.sqrt(bar_b) * clean + math.sqrt(1 - bar_b) * eps


def load(path: Path) -> Tensor:
    """One image as ``[1, 3, 64, 64]`` in [-1, 1]."""
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)
    return pixels[None].float() / 127.5 - 1


def save(x: Tensor, path: Path) -> None:
    """One image as PNG."""
    pixels = ((x[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)


def angle(at: Tensor, x: Tensor, y: Tensor) -> float:
    """Angle in degrees at `at` between `x` and `y`."""
    u, v = (x - at) / torch.norm(x - at), (y - at) / torch.norm(y - at)
    return math.degrees(
        math.acos(float(torch.dot(u.flatten(), v.flatten()) / (torch.norm(u) * torch.norm(v))))
    )


def geometry(z: Tensor, references: list[Tensor]) -> list[float]:
    """Mean distance, mean angle at the origin, mean angle at z over some references."""
    origin = torch.zeros_like(z)
    far = [float(torch.sqrt(torch.sum((z - x) ** 2))) for x in references]
    wide = [angle(origin, z, x) for x in references]
    pair = [angle(z, x, references[(i + 1) % len(references)]) for i, x in enumerate(references)]
    return [sum(values) / len(values) for values in (far, wide, pair)]


def slerp(z1: Tensor, z2: Tensor, t: float) -> Tensor:
    """Directions on the great circle, lengths linearly between."""
    a, b = z1.norm(), z2.norm()
    theta = torch.acos((z1 / a).flatten() @ (z2 / b).flatten())
    direction = torch.sin((1 - t) * theta) * z1 / a + torch.sin(t * theta) * z2 / b
    return direction / torch.sin(theta) * ((1 - t) * a + t * b)


def features(extractor: EfficientNetLite0, paths: list[Path]) -> np.ndarray:
    """One image at a time."""
    images = [torch.from_numpy(np.array(Image.open(p).convert("RGB"))).permute(2, 0, 1)[None] for p in paths]
    return np.concatenate([extractor(image).numpy() for image in images]).astype(np.float64)


def main(folder: Path, out: Path, n_samples: int) -> None:
    """The whole job; figures to OUT/naive.json."""
    torch.manual_seed(0)
    random.seed(0)
    network = embedded_model().network.to(memory_format=torch.contiguous_format)
    sequence = [-1, *[int(t) for t in np.linspace(0, 1, N_STEPS) * (T_0 - 1)]]
    paths = sorted((folder / "references").iterdir())
    bank = torch.zeros(len(paths), 3, 64, 64)
    calls = 0
    with torch.no_grad():
        for k, path in enumerate(paths):
            x = load(path)
            for a, b in pairwise(sequence):
                x, calls = ddim(network, x, a, b), calls + 1
            bank[k] = x[0]
            torch.save(bank, out / "bank.pt")
        own = []
        for k in range(len(bank)):
            others = random.sample([i for i in range(len(bank)) if i != k], COMPANIONS)
            own.append(geometry(bank[k], [bank[i] for i in others]))
        mean, spread = np.mean(own, axis=0), np.std(own, axis=0)
        found = tried = 0
        while found < n_samples:
            i, j = random.sample(range(len(bank)), 2)
            for t in np.linspace(1 / 11, 10 / 11, 10):
                z = slerp(bank[i], bank[j], float(t))
                tried += 1
                seen = geometry(z, [bank[c] for c in random.sample(range(len(bank)), COMPANIONS)])
                if np.any(np.abs(np.array(seen) - mean) > TOLERANCE * spread) or found == n_samples:
                    continue
                x = z[None]
                for a, b in pairwise(sequence[::-1]):
                    x, calls = ddim(network, x, a, b), calls + 1
                save(x, out / f"{found:04d}.png")
                found += 1
        extractor = EfficientNetLite0()
        judge = features(extractor, sorted((folder / "held_out").iterdir()))
        new = features(extractor, sorted(out.glob("*.png")))
        cov_a, cov_b = np.cov(judge, rowvar=False), np.cov(new, rowvar=False)
        root = sqrtm(cov_a @ cov_b).real
        fid = float(((judge.mean(0) - new.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))
    (out / "naive.json").write_text(json.dumps({"fid": fid, "calls": calls, "tried": tried}))


def round_trip(folder: Path, out: Path) -> float:
    """PSNR in dB of the first references after the way down again; not part of the job."""
    network = embedded_model().network.to(memory_format=torch.contiguous_format)
    sequence = [-1, *[int(t) for t in np.linspace(0, 1, N_STEPS) * (T_0 - 1)]]
    bank = torch.load(out / "bank.pt", weights_only=True)[:ROUND_TRIPS]
    paths = sorted((folder / "references").iterdir())[:ROUND_TRIPS]
    with torch.no_grad():
        x = bank
        for a, b in pairwise(sequence[::-1]):
            x = ddim(network, x, a, b)
    bytes_ = ((x + 1) * 127.5).round().clamp(0, 255)
    goal = (torch.cat([load(p) for p in paths]) + 1) * 127.5
    error = (bytes_ - goal).double().square().flatten(1).mean(dim=1)
    return float((10 * (255**2 / error).log10()).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), 64)
