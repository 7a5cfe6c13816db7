"""One random generator per simulated picture, independent of the order in which pictures are drawn."""

import numpy as np

from ood_diffusion.checks import require_integer
from ood_diffusion.domains.base import SPLITS, Split


def check_seed(seed: int) -> None:
    """Raise `UserError` unless `seed` is an integer of at least 0 (what numpy's SeedSequence accepts)."""
    require_integer("a domain's seed", seed, 0, "Set domain.seed to 0 or another whole number.")


def item_generator(seed: int, split: Split, index: int) -> np.random.Generator:
    """A generator for picture `index` of `split`; distinct triples give independent streams.

    `numpy.random.SeedSequence` hashes the triple (O'Neill 2015, as adopted by numpy), so neighbouring
    seeds and indices do not give correlated pictures.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, SPLITS.index(split), index]))
