import numpy as np
import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.grids import Grid, karras, uniform_lambda, uniform_t
from ood_diffusion.diffusion.schedule import Schedule

schedule = Schedule.linear()


@pytest.mark.parametrize("grid", [uniform_t, uniform_lambda, karras])
@pytest.mark.parametrize("steps", [1, 2, 24, 300])
@pytest.mark.parametrize("level", [300, 555.5, 1000])
def test_from_clean_to_level_ascending(grid: Grid, steps: int, level: float) -> None:
    levels = grid(schedule, level, steps)
    assert len(levels) == steps + 1
    assert levels[0] == 0.0 and levels[-1] == level
    assert np.all(np.diff(levels) > 0)


def test_spacing_is_what_the_name_says() -> None:
    lams = [schedule.lam(t) for t in uniform_lambda(schedule, 600, 24)[1:]]
    assert np.ptp(np.diff(lams)) < 1e-9
    assert np.ptp(np.diff(uniform_t(schedule, 600, 24))) < 1e-9
    roots = [schedule.s(t) ** (1 / 7) for t in karras(schedule, 600, 24)[1:]]
    assert np.ptp(np.diff(roots)) < 1e-9


def test_karras_equals_diffusers() -> None:
    from diffusers import EulerDiscreteScheduler

    theirs = EulerDiscreteScheduler(beta_start=1e-4, beta_end=0.02, use_karras_sigmas=True)
    theirs.set_timesteps(24)  # from timestep 999 to timestep 0
    ours = [schedule.s(t) for t in karras(schedule, 1000, 24)[:0:-1]]
    assert ours == pytest.approx(theirs.sigmas[:-1].tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("level", "steps", "message"),
    [
        (600, 0, "steps must be an integer of at least 1, but got 0"),
        (1001, 10, "at most 1000.*but got 1001"),
        (0, 1, "level must be above 1"),
        (10, 11, r"steps must not exceed the level \(10\), but got 11"),
    ],
)
@pytest.mark.parametrize("grid", [uniform_t, uniform_lambda, karras])
def test_impossible_grids(grid: Grid, level: float, steps: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grid(schedule, level, steps)
