import math
from typing import Any

import numpy as np
import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule

schedule = Schedule.linear()


def test_level_zero_is_the_clean_image() -> None:
    assert schedule.alpha(0) == 1.0 and schedule.sigma(0) == 0.0 and schedule.lam(0) == math.inf


def test_level_k_has_seen_k_steps() -> None:
    """The off-by-one, pinned against diffusers: level k is its timestep k - 1."""
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear").alphas_cumprod
    for k in (1, 2, 500, 1000):
        assert schedule.alpha(k) ** 2 == pytest.approx(float(theirs[k - 1]), rel=1e-5)
        assert schedule.timestep(k) == k - 1
    assert schedule.alpha(1) ** 2 == pytest.approx(1 - 1e-4)


def test_network_is_never_asked_below_timestep_zero() -> None:
    assert schedule.timestep(0.0) == schedule.timestep(0.4) == 0.0
    assert schedule.timestep(1.5) == 0.5


def test_variance_is_preserved_and_s_lambda_agree() -> None:
    for t in (0.3, 1, 37.2, 999.5):
        assert schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2 == pytest.approx(1, abs=1e-15)
        assert schedule.lam(t) == pytest.approx(-math.log(schedule.s(t)), abs=1e-15)


def test_level_inverts_lambda() -> None:
    for t in (0.5, 1.0, 123.4, 1000.0):
        assert schedule.level(schedule.lam(t)) == pytest.approx(t, rel=1e-9)


def test_first_level_step_spans_what_the_notes_say() -> None:
    assert schedule.lam(1) - schedule.lam(2) == pytest.approx(0.39, abs=0.01)


@pytest.mark.parametrize("t", [-1, 1000.5])
def test_level_outside_the_schedule(t: float) -> None:
    with pytest.raises(UserError, match=r"between 0 and 1000, but got"):
        schedule.alpha(t)


def test_increasing_alpha_bar_is_refused() -> None:
    with pytest.raises(UserError, match="strictly decreasing"):
        Schedule(np.array([0.0, -0.1, -0.1]))


def test_bad_betas_are_refused() -> None:
    with pytest.raises(UserError, match="beta_start <= beta_end < 1"):
        Schedule.linear(1000, 0.02, 1e-4)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            Schedule.scaled_linear(),
            {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        ),
        (Schedule.cosine(4000), {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 4000}),
    ],
    ids=["scaled_linear", "cosine"],
)
def test_other_schedules_are_diffusers(ours: Schedule, theirs: dict[str, Any]) -> None:
    from diffusers import DDPMScheduler

    alphas_cumprod = DDPMScheduler(**theirs).alphas_cumprod
    for k in (1, 2, 500, ours.timesteps - 1):
        assert ours.alpha(k) ** 2 == pytest.approx(float(alphas_cumprod[k - 1]), rel=1e-4)


def test_cosine_has_the_closed_form_of_its_paper() -> None:
    """Eq. 17 of Nichol & Dhariwal 2021, wherever no beta is cut to 0.999."""

    def f(k: int) -> float:
        return math.cos((k / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for k in (1, 500, 990):
        assert Schedule.cosine(1000).alpha(k) ** 2 == pytest.approx(f(k) / f(0), rel=1e-9)


def test_karras_levels() -> None:
    """Ends and middle of eq. 5 of Karras et al. 2022."""
    karras = Schedule.karras(1001, 0.002, 80.0, 7.0)
    assert karras.s(1) == pytest.approx(0.002) and karras.s(1001) == pytest.approx(80.0)
    assert karras.s(501) == pytest.approx(((0.002 ** (1 / 7) + 80 ** (1 / 7)) / 2) ** 7)
    with pytest.raises(UserError, match="0 < sigma_min < sigma_max"):
        Schedule.karras(1000, 0.0, 80.0)
