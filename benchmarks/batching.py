"""The trajectory in batches against one image at a time, same network and calls.

`python -m benchmarks.batching`
"""

import statistics
import time

import torch
from hydra import compose, initialize_config_dir

from ood_diffusion.cli import conf_folder
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.stages.assemble import build

STEPS, IMAGES = 6, 32


def main() -> None:
    """Print image-calls per second of both, alternating, and the ratio of each round."""
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        model = build(compose("config").model)
    levels = uniform_lambda(model.schedule, 500, STEPS)
    x = torch.randn(IMAGES, *model.image_shape, generator=torch.Generator().manual_seed(0))
    speeds: dict[int, list[float]] = {1: [], IMAGES: []}
    with torch.inference_mode():
        for _ in range(5):
            for batch_size, seen in speeds.items():
                start = time.perf_counter()
                for part in torch.split(x[: max(batch_size, 8)], batch_size):
                    integrate(model.eps, part, model.schedule, levels, DDIM())
                seen.append(max(batch_size, 8) * STEPS / (time.perf_counter() - start))
    ratios = [b / a for a, b in zip(speeds[1], speeds[IMAGES], strict=True)]
    print(f"one image at a time: {statistics.median(speeds[1]):.0f} image-calls/s")
    print(f"batches of {IMAGES}:       {statistics.median(speeds[IMAGES]):.0f} image-calls/s")
    print(f"ratio {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")


if __name__ == "__main__":
    main()
