import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.draw import Draw
from ood_diffusion.samplers.linear_combination import LinearCombination
from ood_diffusion.samplers.slerp import Slerp
from ood_diffusion.seeding import generator

SHAPE = (3, 8, 8)


def references(n: int, mean: float = 0.0, seed: int = 0) -> Tensor:
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed)) + mean


def bound(sampler: Sampler, x: Tensor) -> Sampler:
    sampler.bind(x, Gaussian("scalar").fit(x))
    return sampler


def draws(sampler: Sampler, n: int) -> Tensor:
    return sampler.draw([generator(0, i) for i in range(n)])


@pytest.mark.parametrize(
    "sampler", [Draw(), Slerp(10), LinearCombination(2, 1.0)], ids=lambda s: type(s).__name__
)
def test_an_item_does_not_depend_on_its_batch(sampler: Sampler) -> None:
    bound(sampler, references(20))
    assert torch.allclose(draws(sampler, 6)[4], sampler.draw([generator(0, 4)])[0], atol=1e-5)


@pytest.mark.parametrize(("parents", "concentration"), [(2, 1.0), (2, 20.0), (5, 1.0)])
def test_linear_combination_keeps_mean_and_variance_of_any_gaussian(
    parents: int, concentration: float
) -> None:
    """With a strong mean, where slerp fails."""
    z = draws(bound(LinearCombination(parents, concentration), references(2000, mean=2.0)), 2000)
    assert float(z.mean()) == pytest.approx(2.0, abs=0.01)
    assert float(z.var()) == pytest.approx(1.0, abs=0.02)
    slerped = draws(bound(Slerp(10), references(2000, mean=2.0)), 500)
    assert abs(float((slerped - slerped.mean(0)).var()) - 1.0) > 0.1


@pytest.mark.parametrize("points", [1, 3])
def test_slerp_sits_on_the_interior_points_of_the_path(points: int) -> None:
    """End points at a right angle: the angle to the start is 90° k / (points + 1), never 0 or 90."""
    x = references(40)
    z = draws(bound(Slerp(points), x), 300).flatten(1)
    cosine = torch.nn.functional.cosine_similarity(z[:, None], x.flatten(1)[None], dim=-1)
    angle = torch.rad2deg(cosine.max(dim=1).values.acos())
    allowed = torch.tensor([90 * k / (points + 1) for k in range(1, points + 1)])
    off, which = (angle[:, None] - allowed).abs().min(dim=1)
    assert float(off.max()) < 9  # in 192 dimensions a right angle is 90° ± 4°
    assert len(which.unique()) == points
    assert torch.allclose(z.norm(dim=1), torch.full((300,), 192**0.5), rtol=0.15)


def test_bad_settings() -> None:
    with pytest.raises(UserError, match="points must be an integer of at least 1"):
        Slerp(0)
    with pytest.raises(UserError, match="parents must be an integer of at least 2"):
        LinearCombination(1, 1.0)
    with pytest.raises(UserError, match="concentration must be positive"):
        LinearCombination(2, 0.0)
