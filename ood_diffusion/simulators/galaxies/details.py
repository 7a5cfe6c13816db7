"""Draw the details of a disc: bar, arms, tufts, dust lane and star-forming knots."""

import math

import numpy as np
from numpy.random import Generator

from ood_diffusion.simulators.galaxies.galaxy import Bar, Dust, Points
from ood_diffusion.simulators.galaxies.spiral_arms import Arms, Patches, Tufts

EDGE_ON = 0.4
"""Cosine of the inclination below which a dust lane is drawn."""


def draw_bar(rng: Generator, scale: float, brightness: float) -> Bar:
    """A bar of 0.6 to 1.4 disc scale lengths (Erwin 2005), a few times as bright as the disc there."""
    return Bar(
        length=scale * rng.uniform(0.6, 1.4),
        axis_ratio=rng.uniform(0.2, 0.4),
        angle=rng.uniform(0, math.pi),
        brightness=brightness * rng.uniform(0.6, 1.6),
    )


def draw_arms(rng: Generator, scale: float, stage: float, bar: Bar | None) -> Arms:
    """Arms that open from Sa to Sd (pitch 8 to 32 degrees; Kennicutt 1981) and start where a bar ends."""
    pitch = math.radians(np.clip(rng.normal(10 + 18 * stage, 4), 7, 36))
    return Arms(
        number=int(rng.choice([2, 3, 4], p=[0.7, 0.15, 0.15])),
        pitch=pitch * rng.choice([-1, 1]),  # trailing arms wind either way on the sky
        onset=bar.length if bar else scale * rng.uniform(0.3, 0.7),
        phase=bar.angle if bar else rng.uniform(0, 2 * math.pi),
        sharpness=rng.uniform(0.6, 2.2),
        contrast=math.exp(rng.uniform(math.log(0.4), math.log(4))),
    )


def draw_tufts(rng: Generator, arms: Arms, contrast: float) -> Tufts:
    """Spiral waves of orders 1 to 7, wound about like the arms."""
    waves = 7
    order = rng.integers(1, 8, waves).astype(np.float64)
    winding = order / math.tan(arms.pitch) * rng.normal(1, 0.5, waves)
    phase = rng.uniform(0, 2 * math.pi, waves)
    return Tufts(np.stack([order, winding, phase], axis=1).astype(np.float32), contrast)


def draw_patches(rng: Generator, scale: float, contrast: float) -> Patches:
    """Plane waves in random directions with wavelengths of 1 to 5 disc scale lengths."""
    waves = 8
    number = 2 * math.pi / (scale * rng.uniform(1, 5, waves))
    direction = rng.uniform(0, 2 * math.pi, waves)
    phase = rng.uniform(0, 2 * math.pi, waves)
    rows = np.stack([number * np.cos(direction), number * np.sin(direction), phase], axis=1)
    return Patches(rows.astype(np.float32), contrast)


def draw_dust(rng: Generator, scale: float, cos_inclination: float) -> Dust | None:
    """A lane a little off the major axis when the disc is seen nearly edge-on, else none."""
    if cos_inclination > EDGE_ON:
        return None
    return Dust(
        depth=rng.uniform(0.2, 1.5),
        offset=scale * (0.05 + 0.3 * cos_inclination) * rng.choice([-1, 1]),
        width=scale * rng.uniform(0.06, 0.12),
    )


def draw_knots(rng: Generator, scale: float, brightness: float, stage: float, arms: Arms | None) -> Points:
    """Star-forming regions along the arms, or anywhere in the disc without arms.

    Luminosities follow dN/dL ~ L^-2 (Kennicutt, Edgar & Hodge 1989) over a factor of 20.
    """
    number = int(rng.poisson(5 + 55 * stage**2))
    radius = scale * rng.gamma(2.2, 0.9, number) + 0.05 * scale  # close to an exponential disc, r exp(-r/h)
    azimuth = rng.uniform(0, 2 * math.pi, number)
    if arms is not None:
        arm = 2 * math.pi / arms.number * rng.integers(0, arms.number, number)
        azimuth = arms.angle_at(radius) + arm + rng.normal(0, 0.3, number)
    faintest = 0.08 * brightness
    flux = faintest / rng.uniform(0.05, 1, number) * np.exp(-0.3 * radius / scale)
    colour = np.stack([rng.normal(0.05, 0.15, number), rng.normal(-0.05, 0.1, number)], axis=1)
    return Points(np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)], axis=1), flux, colour)
