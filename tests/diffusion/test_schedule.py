import math
from typing import Any

import numpy as np
import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.schedule import Schedule, VarianceExploding, VariancePreserving
from ood_diffusion.fingerprint import fingerprint
from tests.laws.gaussian import SCHEDULES

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
        VariancePreserving(np.array([0.0, -0.1, -0.1]))


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


def test_zero_terminal_snr_is_diffusers() -> None:
    from diffusers import DDIMScheduler

    ends = {"beta_start": 0.00085, "beta_end": 0.012}
    theirs = DDIMScheduler(beta_schedule="scaled_linear", rescale_betas_zero_snr=True, **ends).alphas_cumprod
    zero = SCHEDULES["zero_snr"]
    for k in (1, 2, 500, 999, 1000):
        assert zero.alpha(k) ** 2 == pytest.approx(float(theirs[k - 1]), rel=1e-4, abs=1e-9)
    assert zero.alpha(1000) == 0 and zero.s(1000) == math.inf and zero.lam(1000) == -math.inf
    assert zero.level(zero.lam(999.5)) == pytest.approx(999.5)
    assert zero.alpha(999.5) == pytest.approx(zero.alpha(999) / 2)
    fingerprint(zero.recipe())


def test_linear_rescaled_is_improved_diffusions() -> None:
    """`get_named_beta_schedule("linear", T)`: beta from 0.1 / T to 20 / T; at T = 1000 it is Ho et al.'s."""
    assert Schedule.linear_rescaled().recipe() == schedule.recipe()
    long = Schedule.linear_rescaled(4000)
    assert 1 - long.alpha(1) ** 2 == pytest.approx(0.1 / 4000)
    assert long.alpha(2000) == pytest.approx(schedule.alpha(500), rel=3e-3)
    assert long.alpha(2000) == pytest.approx(0.281, abs=1e-3)
    assert Schedule.linear(4000).alpha(2000) == pytest.approx(0.006, abs=1e-3)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_is_diffusers(shift: float) -> None:
    """Noise at the end, level k is training step k, and the shift moves sigma and timestep alike."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    theirs = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=shift)
    flow = Schedule.flow(1000, shift)
    levels = range(1000, 0, -1)
    assert [flow.sigma(k) for k in levels] == pytest.approx(theirs.sigmas.tolist(), rel=1e-5)
    assert [flow.timestep(k) for k in levels] == pytest.approx(theirs.timesteps.tolist(), rel=1e-5)
    assert flow.alpha(1000) == 0 and flow.alpha(0) == 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_keeps_the_contract(name: str) -> None:
    kind = SCHEDULES[name]
    assert kind.alpha(0) == 1 and kind.sigma(0) == 0 and kind.lam(0) == math.inf
    s = [kind.s(t) for t in np.linspace(0, 1000, 401)]
    assert all(np.diff(s[:-1]) > 0) and s[-1] > s[-2]
    for t in (0.5, 1.0, 123.4, 700.0):
        assert kind.level(kind.lam(t)) == pytest.approx(t, rel=1e-9)
        assert kind.signal(t) == pytest.approx(1 / (1 + kind.s(t) ** 2))
    with pytest.raises(UserError, match="between 0 and 1000, but got 1001"):
        kind.sigma(1001)


class Sine(Schedule):
    """A user's own: three definitions, the rest follows."""

    timesteps = 100

    def alpha(self, t: float) -> float:
        return math.cos(math.pi / 2 * t / 100)

    def sigma(self, t: float) -> float:
        return math.sin(math.pi / 2 * t / 100)


def test_a_schedule_of_ones_own() -> None:
    own = Sine()
    assert own.level(own.lam(37.5)) == pytest.approx(37.5)
    assert own.timestep(40) == 39 and own.signal(50) == pytest.approx(0.5)
    assert "Sine" in own.recipe()["code"]["name"] and "code" in own.recipe()["code"]


@pytest.mark.parametrize("sigmas", [[0.1, 1.0], [0.0, 1.0, 1.0]])
def test_bad_sigmas_are_refused(sigmas: list[float]) -> None:
    with pytest.raises(UserError, match="sigma = 0 at level 0 and strictly increasing"):
        VarianceExploding(np.array(sigmas))


def test_bad_flows_are_refused() -> None:
    with pytest.raises(UserError, match="shift of a flow schedule must be positive"):
        Schedule.flow(shift=0.0)


def test_karras_levels() -> None:
    """Ends and middle of eq. 5 of Karras et al. 2022."""
    karras = Schedule.karras(1001, 0.002, 80.0, 7.0)
    assert karras.s(1) == pytest.approx(0.002) and karras.s(1001) == pytest.approx(80.0)
    assert karras.s(501) == pytest.approx(((0.002 ** (1 / 7) + 80 ** (1 / 7)) / 2) ** 7)
    with pytest.raises(UserError, match="0 < sigma_min < sigma_max"):
        Schedule.karras(1000, 0.0, 80.0)
