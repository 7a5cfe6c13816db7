"""Draw galaxies at random, with the variety of a nearby, well-resolved sample.

The ranges are rounded from the literature named beside them; brightnesses and frequencies were then set
by eye next to SDSS cut-outs of the EFIGI catalogue (Baillard et al. 2011), in which every galaxy fills a
good part of its picture.
"""

import math

from numpy.random import Generator

from ood_diffusion.checks import require
from ood_diffusion.simulators.galaxies.details import (
    draw_arms,
    draw_bar,
    draw_dust,
    draw_knots,
    draw_patches,
    draw_tufts,
)
from ood_diffusion.simulators.galaxies.galaxy import Colour, Disc, Galaxy, Ring, Spheroid

MORPHOLOGIES = ("elliptical", "lenticular", "spiral", "irregular")


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """A draw with equal chances per octave between `low` and `high`."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_galaxy(rng: Generator, morphology: str) -> Galaxy:
    """A galaxy of the given morphology near the middle of the field, at a random orientation.

    Raises:
        UserError: if `morphology` is not one of `MORPHOLOGIES`.
    """
    require(
        morphology in MORPHOLOGIES,
        f"a morphology must be one of: {', '.join(MORPHOLOGIES)}",
        morphology,
        "Correct domain.morphology.",
    )
    draw = {
        "elliptical": _elliptical,
        "lenticular": _lenticular,
        "spiral": _spiral,
        "irregular": _irregular,
    }[morphology]
    centre = (float(rng.normal(0, 0.015)), float(rng.normal(0, 0.015)))
    # Random orientations in space: the cosine of the inclination is uniform.
    return draw(rng, centre, float(rng.uniform(0, math.pi)), float(rng.uniform(0.03, 1)))


def _old(rng: Generator) -> Colour:
    # Old populations: g - r = 0.77, r - i = 0.39 (Fukugita et al. 1995), with little scatter.
    shift = rng.normal(0, 0.04)
    return 0.78 + shift, 0.40 + 0.5 * shift


def _elliptical(rng: Generator, centre: tuple[float, float], angle: float, cos: float) -> Galaxy:
    radius = log_uniform(rng, 0.18, 0.7)
    spheroid = Spheroid(
        effective_radius=radius,
        index=rng.uniform(2.5, 5),  # Sérsic indices of luminous ellipticals (Caon et al. 1993)
        axis_ratio=rng.uniform(0.55, 1),  # E0 to about E5
        brightness=log_uniform(rng, 12, 32) * (0.25 / radius) ** 0.6,
        colour=_old(rng),
    )
    return Galaxy(centre, angle, 1.0, spheroid, None, None)


def _bulge(rng: Generator, scale: float, share: float, cos: float, index: float, colour: Colour) -> Spheroid:
    """A bulge whose size goes with the disc's (r_e about 0.2 h; Courteau et al. 1996)."""
    flattening = rng.uniform(0.55, 0.8)
    return Spheroid(
        effective_radius=scale * log_uniform(rng, 0.15, 0.4),
        index=index,
        axis_ratio=math.sqrt(cos**2 + flattening**2 * (1 - cos**2)),
        brightness=share,
        colour=colour,
    )


def _brightening(cos: float) -> float:
    """Inclined discs show more stars per line of sight; dust undoes about half of it (in magnitudes)."""
    return 1 / math.sqrt(max(cos, 0.12))


def _lenticular(rng: Generator, centre: tuple[float, float], angle: float, cos: float) -> Galaxy:
    scale = log_uniform(rng, 0.18, 0.36)
    old = _old(rng)
    brightness = log_uniform(rng, 18, 60) * _brightening(cos)
    outer = Ring(scale * rng.uniform(2, 3), scale * 0.35, rng.uniform(1, 2.5)) if rng.random() < 0.3 else None
    disc = Disc(
        scale=scale,
        thickness=rng.uniform(0.15, 0.25),
        brightness=brightness,
        old=old,
        young=(old[0] - 0.2, old[1] - 0.1),
        young_share=0.5,
        arms=None,
        tufts=None,
        bar=draw_bar(rng, scale, brightness) if rng.random() < 0.35 else None,
        ring=outer,
        dust=draw_dust(rng, scale, cos) if rng.random() < 0.3 else None,
    )
    bulge = _bulge(rng, scale, log_uniform(rng, 50, 120), cos, rng.uniform(1.5, 3.5), old)
    return Galaxy(centre, angle, cos, bulge, disc, None)


def _spiral(rng: Generator, centre: tuple[float, float], angle: float, cos: float) -> Galaxy:
    # One number for the stage, Sa (0) to Sd (1): bulges fade, arms open, colours turn blue, knots appear.
    stage = float(rng.beta(1.5, 1.3))
    scale = log_uniform(rng, 0.2, 0.4)
    old, brightness = _old(rng), log_uniform(rng, 16, 52) * 0.6**stage * _brightening(cos)
    bar = draw_bar(rng, scale, brightness) if rng.random() < 0.5 else None
    arms = draw_arms(rng, scale, stage, bar)
    disc = Disc(
        scale=scale,
        thickness=rng.uniform(0.08, 0.16),
        brightness=brightness,
        old=(old[0] - 0.12 - 0.2 * stage, old[1] - 0.06 - 0.1 * stage),
        young=(rng.uniform(0.15, 0.35), rng.uniform(0.0, 0.12)),
        young_share=0.3 + 0.45 * stage,
        arms=arms,
        tufts=draw_tufts(rng, arms, 0.2 + 0.3 * stage),
        bar=bar,
        ring=Ring(arms.onset, 0.2 * scale, rng.uniform(0.5, 1.5)) if rng.random() < 0.2 else None,
        dust=draw_dust(rng, scale, cos),
    )
    faint = log_uniform(rng, 40, 120) * 0.12**stage
    bulge = _bulge(rng, scale, faint, cos, rng.uniform(1, 2.5), old)
    knots = draw_knots(rng, scale, brightness, stage, arms)
    return Galaxy(centre, angle, cos, bulge, disc, knots)


def _irregular(rng: Generator, centre: tuple[float, float], angle: float, cos: float) -> Galaxy:
    scale = log_uniform(rng, 0.2, 0.42)
    brightness = log_uniform(rng, 5, 22) * _brightening(cos)
    disc = Disc(
        scale=scale,
        thickness=rng.uniform(0.3, 0.5),  # dwarf irregulars are thick (Sanchez-Janssen et al. 2010)
        brightness=brightness,
        old=(0.45 + rng.normal(0, 0.05), 0.22),
        young=(rng.uniform(0.1, 0.3), 0.02),
        young_share=0.6,
        arms=None,
        tufts=draw_patches(rng, scale, rng.uniform(0.5, 1.0)),
        bar=draw_bar(rng, scale, 0.6 * brightness) if rng.random() < 0.4 else None,
        ring=None,
        dust=None,
    )
    return Galaxy(centre, angle, cos, None, disc, draw_knots(rng, scale, brightness, 1.0, None))
