r"""The noise schedule: how much of the image and how much noise is left at each level.

A schedule is a Gaussian path :math:`x = \alpha x_0 + \sigma\varepsilon`. Three kinds are here:
variance-preserving (DDPM), variance-exploding (:math:`\alpha = 1`: EDM) and flow matching
(:math:`\alpha = 1 - \tau`, :math:`\sigma = \tau`). All else, solvers included, never asks which one it is.

**Levels.** Level ``t = 0`` is the clean image, level ``T`` is (almost) pure noise; ``t`` may be any float
between. What the network is told at a level is `Schedule.timestep`, and nowhere else: a DDPM network
trained on timesteps ``0 … T-1`` sees ``k - 1`` at level ``k``, after ``k`` noising steps.

Everything here is a scalar computed in float64: a batch shares one level, and solver coefficients
are made of these numbers before they ever touch a float32 tensor.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.checks import require, require_integer
from ood_diffusion.fingerprint import described
from ood_diffusion.source import Recipe, identity


class Schedule(ABC):
    r"""How :math:`\alpha` falls and :math:`\sigma` rises with the level.

    A subclass defines `timesteps`, `alpha` and `sigma`, with ``alpha(0) == 1``, ``sigma(0) == 0`` and
    :math:`\sigma/\alpha` strictly increasing; alpha may be 0 at level T. It may override the rest.

    Examples:
        >>> from ood_diffusion import Schedule
        >>> schedule = Schedule.linear()
        >>> schedule.timesteps, schedule.timestep(600), round(schedule.alpha(600), 3)
        (1000, 599.0, 0.161)
        >>> round(schedule.level(schedule.lam(600)), 6)
        600.0
        >>> flow = Schedule.flow()
        >>> flow.alpha(250), flow.sigma(250), flow.timestep(250)
        (0.75, 0.25, 250.0)
    """

    @property
    @abstractmethod
    def timesteps(self) -> int:
        """T: levels run from 0 to T."""

    @abstractmethod
    def alpha(self, t: float) -> float:
        """The share of the image at level `t`; `UserError` outside ``[0, T]``, as in all that follow."""

    @abstractmethod
    def sigma(self, t: float) -> float:
        """The share of the noise at level `t`."""

    def timestep(self, t: float) -> float:
        """The network's time input at level `t`: ``t - 1``, and 0 for levels below 1."""
        return max(t - 1.0, 0.0)

    def scale(self, t: float) -> float:
        """What a state is divided by before the network sees it, and the standard deviation of pure noise
        that stands for a state at level T."""
        return 1.0

    def spread(self, t: float) -> float:
        r""":math:`\sqrt{\alpha^2 + \sigma^2}`: the standard deviation of a state whose image has variance 1.

        1 where variance is preserved. Priors, selections and statistics see states divided by it, so that
        pure noise is N(0, I) to them.
        """
        return math.hypot(self.alpha(t), self.sigma(t))

    def s(self, t: float) -> float:
        r""":math:`s = \sigma / \alpha`, the time in which the ODE reads ``du/ds = eps``; infinite where alpha
        is 0."""
        alpha = self.alpha(t)
        return self.sigma(t) / alpha if alpha else math.inf

    def lam(self, t: float) -> float:
        r""":math:`\lambda = -\ln s`, half the log signal-to-noise ratio; infinite at level 0."""
        s = self.s(t)
        return -math.log(s) if s else math.inf

    def signal(self, t: float) -> float:
        r""":math:`1/(1+s^2)`: the share of the image in the variance, if that of images is 1. It is
        :math:`\bar\alpha` if variance is preserved."""
        return 1 / (1 + self.s(t) ** 2)

    def level(self, lam: float) -> float:
        r"""The level at which :math:`\lambda` has the given value (inverse of `lam`), by bisection."""
        low, high = 0.0, float(self.timesteps)
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self.lam(middle) > lam else (low, middle)
        return high

    def recipe(self) -> Recipe:
        """What determines this schedule, for content addresses: class and attributes, unless overridden."""
        return {"code": identity(self), "attributes": described(vars(self))}

    def _check(self, t: float) -> None:
        require(
            0 <= t <= self.timesteps,
            f"a level must lie between 0 and {self.timesteps}",
            t,
            "Level 0 is the clean image; lower `level`.",
        )

    @staticmethod
    def linear(
        timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
    ) -> "VariancePreserving":
        r""":math:`\beta` from `beta_start` to `beta_end` in equal steps (Ho et al. 2020, section 4)."""
        _check_ends(timesteps, beta_start, beta_end)
        return Schedule.from_betas(np.linspace(beta_start, beta_end, timesteps, dtype=np.float64))

    @staticmethod
    def linear_rescaled(timesteps: int = 1000) -> "VariancePreserving":
        r"""Ho et al.'s schedule for any number of steps: their :math:`\beta` of 1e-4 … 0.02 times 1000/T.

        As in improved-diffusion and guided-diffusion (`get_named_beta_schedule`): the level T/2 is as
        noisy for T = 4000 as for 1000.
        """
        return Schedule.linear(timesteps, 1e-4 * 1000 / timesteps, 0.02 * 1000 / timesteps)

    @staticmethod
    def scaled_linear(
        timesteps: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
    ) -> "VariancePreserving":
        r""":math:`\sqrt\beta` in equal steps; the defaults are latent diffusion's (Rombach et al. 2022)."""
        _check_ends(timesteps, beta_start, beta_end)
        betas = np.linspace(beta_start**0.5, beta_end**0.5, timesteps, dtype=np.float64) ** 2
        return Schedule.from_betas(betas)

    @staticmethod
    def cosine(timesteps: int = 1000) -> "VariancePreserving":
        r""":math:`\bar\alpha \propto \cos^2\left(\frac{k/T + 0.008}{1.008}\frac\pi2\right)` with
        :math:`\beta \le 0.999` (Nichol & Dhariwal 2021, eq. 17)."""
        cosines = np.cos((np.arange(timesteps + 1) / timesteps + 0.008) / 1.008 * math.pi / 2)
        return Schedule.from_betas(np.minimum(1 - (cosines[1:] / cosines[:-1]) ** 2, 0.999))

    @staticmethod
    def from_betas(betas: NDArray[np.float64]) -> "VariancePreserving":
        r"""From the list of :math:`\beta` of the T noising steps, each in (0, 1)."""
        betas = np.asarray(betas, dtype=np.float64)
        require(
            betas.ndim == 1 and len(betas) >= 1 and bool(np.all((betas > 0) & (betas < 1))),
            "the betas of a schedule must lie between 0 and 1",
            betas[:4].tolist(),
            "Correct them.",
        )
        return VariancePreserving(np.concatenate([[0.0], np.cumsum(np.log1p(-betas))]))

    @staticmethod
    def karras(
        timesteps: int = 1000, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
    ) -> "Schedule":
        r"""Noise from :math:`\sigma` = `sigma_min` at level 1 to `sigma_max` at level T, evenly spaced in
        :math:`\sigma^{1/\rho}` (Karras et al. 2022, eq. 5), for networks that are evaluated at a sigma."""
        require(
            timesteps >= 2 and 0 < sigma_min < sigma_max and rho > 0,
            "a Karras schedule needs timesteps >= 2, 0 < sigma_min < sigma_max and rho > 0",
            (timesteps, sigma_min, sigma_max, rho),
            "The usual values are 1000, 0.002, 80 and 7.",
        )
        roots = np.linspace(sigma_min ** (1 / rho), sigma_max ** (1 / rho), timesteps, dtype=np.float64)
        return VarianceExploding(np.concatenate([[0.0], roots**rho]))

    @staticmethod
    def flow(timesteps: int = 1000, shift: float = 1.0) -> "Schedule":
        """Flow matching; see `Flow`."""
        return Flow(timesteps, shift)


@dataclass(frozen=True, eq=False)
class VariancePreserving(Schedule):
    r""":math:`\alpha = \sqrt{\bar\alpha}`, :math:`\sigma = \sqrt{1 - \bar\alpha}`.

    Between integer levels :math:`\ln\bar\alpha` is interpolated linearly, which is a piecewise
    constant :math:`\beta(t)`; on a last step down to :math:`\bar\alpha = 0`, :math:`\alpha` is.

    Args:
        log_alpha_bars: :math:`\ln\bar\alpha` at levels ``0 … T``; shape ``[T + 1]``, starts at 0,
            strictly decreasing; the last may be -inf.
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

    @property
    def timesteps(self) -> int:
        """T, the number of noising steps."""
        return len(self.log_alpha_bars) - 1

    def log_alpha_bar(self, t: float) -> float:
        r""":math:`\ln\bar\alpha(t)`."""
        self._check(t)
        logs, left = self.log_alpha_bars, self.timesteps - t
        if left < 1 and np.isinf(logs[-1]):
            return float(logs[-2]) + 2 * math.log(left) if left else -math.inf
        return float(np.interp(t, np.arange(self.timesteps + 1), logs))

    def alpha(self, t: float) -> float:
        r""":math:`\alpha = \sqrt{\bar\alpha}`."""
        return math.exp(0.5 * self.log_alpha_bar(t))

    def sigma(self, t: float) -> float:
        r""":math:`\sigma = \sqrt{1 - \bar\alpha}`."""
        return math.sqrt(-math.expm1(self.log_alpha_bar(t)))

    def level(self, lam: float) -> float:
        r"""The level at which :math:`\lambda` has the given value, by interpolation."""
        log_alpha_bar = -math.log1p(math.exp(-2.0 * lam))
        logs, levels = self.log_alpha_bars, np.arange(self.timesteps + 1)
        if log_alpha_bar < logs[-2] and np.isinf(logs[-1]):
            return self.timesteps - math.exp((log_alpha_bar - float(logs[-2])) / 2)
        return float(np.interp(-log_alpha_bar, -logs, levels))

    def zero_terminal_snr(self) -> "VariancePreserving":
        r"""The same with :math:`\sqrt{\bar\alpha}` shifted and scaled so that it is 0 at level T and as it
        was at level 1 (Lin et al. 2024, algorithm 1)."""
        roots = np.exp(self.log_alpha_bars / 2)
        with np.errstate(divide="ignore"):
            logs = 2 * np.log((roots - roots[-1]) * (roots[1] / (roots[1] - roots[-1])))
        return VariancePreserving(np.concatenate([[0.0], logs[1:]]))

    def recipe(self) -> Recipe:
        """The table; an end at :math:`\\bar\\alpha = 0` is None, as JSON knows no infinity."""
        values = self.log_alpha_bars.tolist()
        return {"log_alpha_bars": [None if math.isinf(v) else float(f"{v:.12g}") for v in values]}


@dataclass(frozen=True, eq=False)
class VarianceExploding(Schedule):
    r""":math:`\alpha = 1`: the image with noise of standard deviation :math:`\sigma` on it.

    Song et al. 2021 (SMLD), Karras et al. 2022 (EDM). The network sees the state divided by
    :math:`\sqrt{1 + \sigma^2}`.

    Args:
        sigmas: at levels ``0 … T``, in between linear; shape ``[T + 1]``, starts at 0, strictly increasing.
    """

    sigmas: NDArray[np.float64]

    def __post_init__(self) -> None:
        values = self.sigmas
        require(
            values.ndim == 1 and len(values) >= 2 and values[0] == 0.0 and bool(np.all(np.diff(values) > 0)),
            "a variance-exploding schedule needs sigma = 0 at level 0 and strictly increasing afterwards",
            values[:4].tolist(),
            "Correct the sigmas.",
        )

    @property
    def timesteps(self) -> int:
        """T, the number of sigmas above 0."""
        return len(self.sigmas) - 1

    def alpha(self, t: float) -> float:
        """1 at every level."""
        self._check(t)
        return 1.0

    def sigma(self, t: float) -> float:
        r""":math:`\sigma`, in units of the images."""
        self._check(t)
        return float(np.interp(t, np.arange(self.timesteps + 1), self.sigmas))

    def scale(self, t: float) -> float:
        r""":math:`\sqrt{1 + \sigma^2}`."""
        return math.hypot(1.0, self.sigma(t))


@dataclass(frozen=True, eq=False)
class Flow(Schedule):
    r"""Flow matching, rectified flow: :math:`x = (1 - \tau)x_0 + \tau\varepsilon`.

    Liu et al. 2023, Lipman et al. 2023. Noise is at :math:`\tau = 1`, level T, as in SD3 (Esser et al. 2024)
    and diffusers. The network's time input is :math:`T\tau`.

    Args:
        timesteps: T.
        shift: moves levels towards the noise: at level :math:`rT`,
            :math:`\tau = \mathrm{shift}\,r/(1 + (\mathrm{shift} - 1)\,r)` (Esser et al. 2024, eq. 23).
            The path is the same; grids and training stop elsewhere on it.
    """

    timesteps: int = 1000
    shift: float = 1.0

    def __post_init__(self) -> None:
        require_integer("timesteps of a flow schedule", self.timesteps, 2, "1000 is the usual value.")
        require(self.shift > 0, "the shift of a flow schedule must be positive", self.shift, "SD3's is 3.")

    def sigma(self, t: float) -> float:
        r""":math:`\tau`."""
        self._check(t)
        part = t / self.timesteps
        return self.shift * part / (1 + (self.shift - 1) * part)

    def alpha(self, t: float) -> float:
        r""":math:`1 - \tau`."""
        return 1 - self.sigma(t)

    def timestep(self, t: float) -> float:
        r""":math:`T\tau`."""
        return self.timesteps * self.sigma(t)


def _check_ends(timesteps: int, beta_start: float, beta_end: float) -> None:
    require(
        timesteps >= 1 and 0 < beta_start <= beta_end < 1,
        "a linear schedule needs timesteps >= 1 and 0 < beta_start <= beta_end < 1",
        (timesteps, beta_start, beta_end),
        "The usual values are 1000, 1e-4 and 0.02.",
    )
