"""Patterns in a galactic disc: logarithmic arms, flocculent tufts and irregular patches.

A logarithmic spiral keeps one pitch angle p at every radius: theta = phase + ln(r / r0) / tan p. Observed
pitch angles run from about 5 degrees (Sa) to 35 degrees (Sc) (Kennicutt 1981).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.simulators.galaxies.sersic import Map


@dataclass(frozen=True)
class Arms:
    """Grand-design arms: `number` arms of `pitch` (radians) that start at `onset` with angle `phase`.

    `sharpness` is the concentration of the arm across its width (von Mises); `contrast` the peak excess
    over the disc.
    """

    number: int
    pitch: float
    onset: float
    phase: float
    sharpness: float
    contrast: float

    def angle_at(self, radius: NDArray[np.float64]) -> NDArray[np.float64]:
        """The first arm's azimuth at each radius, radians."""
        return np.asarray(self.phase + np.log(radius / self.onset) / math.tan(self.pitch))


@dataclass(frozen=True)
class Tufts:
    """Short arm pieces: a sum of spiral waves with random windings, as in flocculent galaxies.

    Every row of `waves` is (azimuthal order m, winding per unit ln r, phase in radians); `contrast` is the
    standard deviation of the logarithm of the brightness.
    """

    waves: NDArray[np.float32]
    contrast: float


@dataclass(frozen=True)
class Patches:
    """Irregular patches: a sum of plane waves on the sky.

    Every row of `waves` is (wave numbers along x and y in radians per length unit, phase in radians);
    `contrast` as for `Tufts`.
    """

    waves: NDArray[np.float32]
    contrast: float


def arm_pattern(log_radius: Map, azimuth: Map, arms: Arms) -> Map:
    """Excess brightness, at least 0 and on average about the contrast times the arm's duty cycle.

    Rises smoothly from 0 inside the onset radius.
    """
    behind = log_radius - np.float32(math.log(arms.onset))
    phase = azimuth - np.float32(arms.phase) - behind * np.float32(1 / math.tan(arms.pitch))
    wave = np.exp(np.float32(arms.sharpness) * (np.cos(np.float32(arms.number) * phase) - np.float32(1)))
    rise = np.float32(1) / (np.float32(1) + np.exp(np.float32(-8) * behind))
    return np.asarray(np.float32(arms.contrast) * rise * wave)


def tuft_pattern(log_radius: Map, azimuth: Map, tufts: Tufts) -> Map:
    """Positive factor with median about 1: exp of a zero-mean sum of spiral waves."""
    total = np.zeros_like(azimuth)
    for order, winding, phase in tufts.waves:
        total += np.cos(order * azimuth - winding * log_radius + phase)
    amplitude = tufts.contrast * math.sqrt(2 / len(tufts.waves))
    return np.asarray(np.exp(np.float32(amplitude) * total))


def patch_pattern(x: Map, y: Map, patches: Patches) -> Map:
    """Positive factor with median about 1: exp of a zero-mean sum of plane waves."""
    total = np.zeros_like(x)
    for along, across, phase in patches.waves:
        total += np.cos(along * x + across * y + phase)
    amplitude = patches.contrast * math.sqrt(2 / len(patches.waves))
    return np.asarray(np.exp(np.float32(amplitude) * total))
