"""NumPy's generators from the project's seeds."""

import numpy as np
import torch

from ood_diffusion.seeding import generator


def numpy_generator(seed: int, *item: str | int) -> np.random.Generator:
    """A NumPy generator determined by `seed` and the item's name alone, as `seeding.generator`."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator(seed, *item))))
