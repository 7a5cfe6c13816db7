"""Draw what surrounds a galaxy: foreground stars and small background galaxies."""

import math

import numpy as np
from numpy.random import Generator

from ood_diffusion.simulators.galaxies.galaxy import Disc, Field, Galaxy, Points, Spheroid
from ood_diffusion.simulators.galaxies.population import draw_galaxy, log_uniform

STARS = 3.0
"""Mean number of foreground stars per field, set by eye beside SDSS cut-outs; most are faint."""

COMPANIONS = 1.2
"""Mean number of resolved background galaxies."""


def draw_field(rng: Generator, morphology: str) -> Field:
    """A galaxy of the given morphology, with its companions and foreground stars."""
    galaxy = draw_galaxy(rng, morphology)
    companions = tuple(_companion(rng) for _ in range(min(int(rng.poisson(COMPANIONS)), 4)))
    return Field(galaxy, companions, _stars(rng))


def _companion(rng: Generator) -> Galaxy:
    """A small galaxy, red and concentrated or blue and diffuse."""
    centre = (float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1)))
    size, brightness = log_uniform(rng, 0.015, 0.05), log_uniform(rng, 2, 20)
    angle, cos = float(rng.uniform(0, math.pi)), float(rng.uniform(0.2, 1))
    if rng.random() < 0.5:
        colour = (float(rng.uniform(0.8, 1.4)), float(rng.uniform(0.35, 0.6)))  # redshift reddens
        return Galaxy(centre, angle, cos, Spheroid(size, 2.0, max(cos, 0.5), brightness, colour), None, None)
    colour = (float(rng.uniform(0.2, 0.7)), float(rng.uniform(0.05, 0.3)))
    disc = Disc(size, 0.2, 2 * brightness, colour, colour, 0.5, None, None, None, None, None)
    return Galaxy(centre, angle, cos, None, disc, None)


def _stars(rng: Generator) -> Points:
    """Stars with number counts dN/dF ~ F^-1.8 over a factor of 250, from F to M dwarfs on one locus."""
    number = int(rng.poisson(STARS))
    flux = 10 * rng.uniform(0.012, 1, number) ** (-1 / 0.8)
    g_r = rng.uniform(0.3, 1.4, number)
    r_i = 0.4 * g_r - 0.05 + np.where(g_r > 1.2, rng.uniform(0, 0.9, number), 0)  # M dwarfs: r-i runs off
    return Points(rng.uniform(-1, 1, (number, 2)), flux, np.stack([g_r, r_i], axis=1))
