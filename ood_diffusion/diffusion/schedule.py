r"""The noise schedule: how much of the image is left at each level.

**Levels.** Level ``t = 0`` is the clean image (:math:`\bar\alpha = 1`); level ``k >= 1`` has seen
``k`` noising steps. A network trained on timesteps ``0 … T-1`` therefore sees timestep ``k - 1`` at
level ``k``. That off-by-one lives in `Schedule.timestep` and nowhere else.

Everything here is a scalar computed in float64: a batch shares one level, and solver coefficients
are made of these numbers before they ever touch a float32 tensor.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require


@dataclass(frozen=True, eq=False)
class Schedule:
    r"""A variance-preserving schedule :math:`x_t = \alpha x_0 + \sigma \varepsilon`.

    Between integer levels :math:`\ln\bar\alpha` is interpolated linearly, which is a piecewise
    constant :math:`\beta(t)`; levels may be any float in ``[0, T]``.

    Args:
        log_alpha_bars: :math:`\ln\bar\alpha` at levels ``0 … T``; shape ``[T + 1]``, starts at 0,
            strictly decreasing.

    Examples:
        >>> from ood_diffusion import Schedule
        >>> schedule = Schedule.linear()
        >>> schedule.timesteps, schedule.timestep(600), round(schedule.alpha(600), 3)
        (1000, 599.0, 0.161)
        >>> round(schedule.level(schedule.lam(600)), 6)
        600.0
    """

    log_alpha_bars: NDArray[np.float64]

    def __post_init__(self) -> None:
        values = self.log_alpha_bars
        require(
            values.ndim == 1 and len(values) >= 2 and values[0] == 0.0 and bool(np.all(np.diff(values) < 0)),
            "a schedule needs alpha_bar = 1 at level 0 and strictly decreasing afterwards",
            values[:4].tolist(),
            "Check the betas: each must lie in (0, 1).",
        )

    @classmethod
    def linear(cls, timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> "Schedule":
        r""":math:`\beta` from `beta_start` to `beta_end` in equal steps (Ho et al. 2020, section 4)."""
        _check_ends(timesteps, beta_start, beta_end)
        return cls.from_betas(np.linspace(beta_start, beta_end, timesteps, dtype=np.float64))

    @classmethod
    def scaled_linear(
        cls, timesteps: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
    ) -> "Schedule":
        r""":math:`\sqrt\beta` in equal steps; the defaults are latent diffusion's (Rombach et al. 2022)."""
        _check_ends(timesteps, beta_start, beta_end)
        return cls.from_betas(np.linspace(beta_start**0.5, beta_end**0.5, timesteps, dtype=np.float64) ** 2)

    @classmethod
    def cosine(cls, timesteps: int = 1000) -> "Schedule":
        r""":math:`\bar\alpha \propto \cos^2\left(\frac{k/T + 0.008}{1.008}\frac\pi2\right)` with
        :math:`\beta \le 0.999` (Nichol & Dhariwal 2021, eq. 17)."""
        cosines = np.cos((np.arange(timesteps + 1) / timesteps + 0.008) / 1.008 * math.pi / 2)
        return cls.from_betas(np.minimum(1 - (cosines[1:] / cosines[:-1]) ** 2, 0.999))

    @classmethod
    def karras(
        cls, timesteps: int = 1000, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
    ) -> "Schedule":
        r"""Noise levels :math:`s` from `sigma_min` at level 1 to `sigma_max` at level T, evenly spaced in
        :math:`s^{1/\rho}` (Karras et al. 2022, eq. 5), for networks that are evaluated at a sigma."""
        require(
            timesteps >= 2 and 0 < sigma_min < sigma_max and rho > 0,
            "a Karras schedule needs timesteps >= 2, 0 < sigma_min < sigma_max and rho > 0",
            (timesteps, sigma_min, sigma_max, rho),
            "The usual values are 1000, 0.002, 80 and 7.",
        )
        s = np.linspace(sigma_min ** (1 / rho), sigma_max ** (1 / rho), timesteps, dtype=np.float64) ** rho
        return cls(np.concatenate([[0.0], -np.log1p(s**2)]))

    @classmethod
    def from_betas(cls, betas: NDArray[np.float64]) -> "Schedule":
        r"""From the list of :math:`\beta` of the T noising steps, each in (0, 1)."""
        betas = np.asarray(betas, dtype=np.float64)
        require(
            betas.ndim == 1 and len(betas) >= 1 and bool(np.all((betas > 0) & (betas < 1))),
            "the betas of a schedule must lie between 0 and 1",
            betas[:4].tolist(),
            "Correct them.",
        )
        return cls(np.concatenate([[0.0], np.cumsum(np.log1p(-betas))]))

    @property
    def timesteps(self) -> int:
        """T, the number of noising steps; levels run from 0 to T."""
        return len(self.log_alpha_bars) - 1

    @staticmethod
    def timestep(t: float) -> float:
        """The network's time input at level `t`: ``t - 1``, and 0 for levels below 1."""
        return max(t - 1.0, 0.0)

    def log_alpha_bar(self, t: float) -> float:
        r""":math:`\ln\bar\alpha(t)`, for ``0 <= t <= T``.

        Raises:
            UserError: if `t` lies outside the schedule.
        """
        require(
            0 <= t <= self.timesteps,
            f"a level must lie between 0 and {self.timesteps}",
            t,
            "Level 0 is the clean image; lower `level`.",
        )
        return float(np.interp(t, np.arange(self.timesteps + 1), self.log_alpha_bars))

    def alpha(self, t: float) -> float:
        r""":math:`\alpha = \sqrt{\bar\alpha}`, the share of the image."""
        return math.exp(0.5 * self.log_alpha_bar(t))

    def sigma(self, t: float) -> float:
        r""":math:`\sigma = \sqrt{1 - \bar\alpha}`, the share of the noise."""
        return math.sqrt(-math.expm1(self.log_alpha_bar(t)))

    def s(self, t: float) -> float:
        r""":math:`s = \sigma / \alpha`, the time in which the ODE reads ``du/ds = eps``."""
        return self.sigma(t) / self.alpha(t)

    def lam(self, t: float) -> float:
        r""":math:`\lambda = -\ln s`, half the log signal-to-noise ratio; infinite at level 0."""
        return math.inf if t == 0 else -math.log(self.s(t))

    def level(self, lam: float) -> float:
        r"""The level at which :math:`\lambda` has the given value (inverse of `lam`)."""
        log_alpha_bar = -math.log1p(math.exp(-2.0 * lam))
        levels = np.arange(self.timesteps + 1)
        return float(np.interp(-log_alpha_bar, -self.log_alpha_bars, levels))

    def recipe(self) -> dict[str, Any]:
        """What determines this schedule, for content addresses."""
        return {"log_alpha_bars": [float(f"{v:.12g}") for v in self.log_alpha_bars]}


def _check_ends(timesteps: int, beta_start: float, beta_end: float) -> None:
    require(
        timesteps >= 1 and 0 < beta_start <= beta_end < 1,
        "a linear schedule needs timesteps >= 1 and 0 < beta_start <= beta_end < 1",
        (timesteps, beta_start, beta_end),
        "The usual values are 1000, 1e-4 and 0.02.",
    )
