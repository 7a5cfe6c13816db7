import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.transport import unit_vectors
from ood_diffusion.metrics.mind import MIND
from tests.statistics.rates import coverage, holds, narrowed


def judged(generated: Tensor, real: Tensor, directions: int = 1000) -> MIND:
    metric = MIND(directions)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric


def test_equals_the_definition(sets):
    """The authors' formula: 3 d times the mean squared difference of sorted projections."""
    x, y = sets.real[:200], sets.generated[:200]
    along = unit_vectors(1000, 24).double()
    wanted = 3 * 24 * ((x @ along.T).sort(dim=0).values - (y @ along.T).sort(dim=0).values).square().mean()
    assert judged(x, y).compute()["mind"].item() == pytest.approx(wanted.item())


def test_a_shift_costs_three_times_its_square():
    x = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    shift = torch.ones(8)
    assert judged(x, x).compute()["mind"].item() == 0
    assert judged(x + shift, x, 4000).compute()["mind"].item() == pytest.approx(3 * 8, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "m"), [(0.5, 64), (0.5, 320), (0.0, 320)])
def test_coverage_at_this_number_of_images(shift, m):
    """A little too narrow (90 to 95 %); too wide where the sets are equal and every derivative is noise."""
    found = []
    for seed in range(300):
        generator = torch.Generator().manual_seed(seed)
        x, y = torch.randn(64, 8, generator=generator) + shift, torch.randn(m, 8, generator=generator)
        found.append(MIND(32).influences(y, x)["mind"].interval())
    truth = sum(each.value for each in found) / len(found)
    assert holds(found, truth, 0.9, 0.95 if shift else 1.0), coverage(found, truth)
    assert not shift or not holds(narrowed(found), truth, 0.9)


def test_too_few():
    with pytest.raises(UserError, match="MIND must be given at least 2 generated images, but got 1"):
        judged(torch.zeros(1, 3), torch.zeros(5, 3)).compute()
    with pytest.raises(UserError, match="directions must be an integer of at least 1"):
        MIND(0)
