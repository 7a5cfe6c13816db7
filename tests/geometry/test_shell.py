"""Moved points keep their norm, turn by the angle, and stay in the plane of point and direction."""

import math

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.shell import move
from ood_diffusion.geometry.slerp import slerp

G = torch.Generator().manual_seed(0)
Z, D = torch.randn(5, 3, 4, 4, generator=G), torch.randn(5, 3, 4, 4, generator=G) + 0.5


def angle_between(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    cosine = torch.nn.functional.cosine_similarity(a.double().flatten(1), b.double().flatten(1))
    return torch.rad2deg(torch.acos(cosine))


@pytest.mark.parametrize("angle", [10.0, 60.0, 90.0, 135.0])
def test_the_norm_stays_and_the_angle_is_in_degrees(angle: float) -> None:
    moved = move(Z, D, angle)
    assert moved.dtype == Z.dtype
    assert torch.allclose(moved.flatten(1).norm(dim=1), Z.flatten(1).norm(dim=1))
    assert torch.allclose(angle_between(moved, Z), torch.full((5,), angle, dtype=torch.float64), atol=1e-4)


def test_it_turns_towards_the_direction_in_their_plane() -> None:
    moved = move(Z, D, 30.0)
    assert bool((angle_between(moved, D) < angle_between(Z, D)).all())
    planes = torch.stack([Z, D, moved], dim=1).flatten(2).double()
    assert bool((torch.linalg.svdvals(planes)[:, 2] < 1e-5 * torch.linalg.svdvals(planes)[:, 0]).all())


def test_closed_form_in_the_plane() -> None:
    z, d = torch.tensor([[2.0, 0.0]]), torch.tensor([[5.0, 0.1]])  # of d only the second coordinate counts
    expected = torch.tensor([[2 * math.cos(math.radians(40)), 2 * math.sin(math.radians(40))]])
    assert torch.allclose(move(z, d, 40.0), expected)
    assert torch.allclose(move(z, -d, 40.0), expected * torch.tensor([1.0, -1.0]))


def test_nothing_moves_by_0_and_180_is_the_antipode() -> None:
    assert torch.equal(move(Z, D, 0.0), Z)
    assert torch.allclose(move(Z, D, 180.0), -Z, atol=1e-5)


def test_towards_a_point_of_the_same_norm_it_is_slerp() -> None:
    other = D * (Z.flatten(1).norm(dim=1) / D.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)
    angle = float(angle_between(Z[:1], other[:1]))
    assert torch.allclose(
        move(Z[:1], other[:1], 0.3 * angle), slerp(Z[:1], other[:1], torch.tensor([0.3])), atol=1e-5
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="must not be parallel"):
        move(Z, 3 * Z, 10.0)
    with pytest.raises(UserError, match="shape of z"):
        move(Z, D[:2], 10.0)
    with pytest.raises(UserError, match="between 0 and 180"):
        move(Z, D, -1.0)
