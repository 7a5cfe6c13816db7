"""Transferred sets have the target's statistics, and the map is the shortest that gives them."""

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum
from ood_diffusion.geometry.transfer import slerp_to_nearest, wasserstein_transfer


def coloured(n: int, seed: int, side: int = 8) -> Tensor:
    """Correlated channels and neighbours, and a mean that depends on the position; float64."""
    g = torch.Generator().manual_seed(seed)
    white = torch.randn(n, 3, side, side, generator=g, dtype=torch.float64)
    mix = torch.randn(3, 3, generator=g, dtype=torch.float64) + torch.eye(3)
    field = torch.einsum("ij,njhw->nihw", mix, white + 0.5 * white.roll(1, dims=-1))
    return field + torch.randn(3, side, side, generator=g, dtype=torch.float64)


SOURCE, TARGET = coloured(40, 0), coloured(30, 1)


def centred_spectrum(latents: Tensor) -> Tensor:
    return power_spectrum(latents - latents.mean(dim=0))


def test_the_moved_set_has_the_mean_and_spectrum_of_the_target() -> None:
    moved = wasserstein_transfer(SOURCE, SOURCE, TARGET)
    assert torch.allclose(moved.mean(dim=0), TARGET.mean(dim=0))
    assert torch.allclose(centred_spectrum(moved), centred_spectrum(TARGET))


def test_a_set_moved_to_itself_stays() -> None:
    assert torch.allclose(wasserstein_transfer(SOURCE, SOURCE, SOURCE), SOURCE, atol=1e-8)


def test_the_filter_is_the_monge_map_between_gaussians() -> None:
    """On single pixels the spectrum is the covariance: the map in closed form, by scipy."""
    source, target = coloured(50, 2, side=1), coloured(50, 3, side=1)
    a, b = (np.cov(x.flatten(1).numpy(), rowvar=False) for x in (source, target))
    root = linalg.sqrtm(a)
    monge = np.linalg.inv(root) @ linalg.sqrtm(root @ b @ root) @ np.linalg.inv(root)
    expected = (source - source.mean(0)).flatten(1).numpy() @ monge.T + target.mean(0).flatten().numpy()
    moved = wasserstein_transfer(source, source, target)
    assert np.allclose(moved.flatten(1).numpy(), expected)


def test_it_moves_less_than_whitening_and_colouring() -> None:
    mean_s, mean_t = SOURCE.mean(dim=0), TARGET.mean(dim=0)
    whitened = apply_filter(matrix_power(centred_spectrum(SOURCE), -0.5), SOURCE - mean_s)
    wct = mean_t + apply_filter(matrix_power(centred_spectrum(TARGET), 0.5), whitened)
    assert torch.allclose(centred_spectrum(wct), centred_spectrum(TARGET))
    moved = wasserstein_transfer(SOURCE, SOURCE, TARGET)
    shift = SOURCE + mean_t - mean_s
    assert (moved - shift).square().sum() < 0.995 * (wct - shift).square().sum()


def test_scale_and_shift_are_found_exactly() -> None:
    moved = wasserstein_transfer(SOURCE, SOURCE, 3 * SOURCE + 1)
    assert torch.allclose(moved, 3 * SOURCE + 1)


def test_latents_outside_the_source_set_are_moved_by_the_same_map() -> None:
    both = wasserstein_transfer(torch.cat([TARGET, SOURCE]), SOURCE, TARGET)
    assert torch.allclose(both[len(TARGET) :], wasserstein_transfer(SOURCE, SOURCE, TARGET))


def test_a_fraction_goes_that_part_of_the_way() -> None:
    whole, part = (wasserstein_transfer(SOURCE, SOURCE, TARGET, f) for f in (1.0, 0.25))
    assert torch.equal(wasserstein_transfer(SOURCE, SOURCE, TARGET, 0.0), SOURCE)
    assert torch.allclose(part, 0.75 * SOURCE + 0.25 * whole)


def test_sets_without_full_rank_stay_finite() -> None:
    """Grey latents: two channel directions are empty, in the source as in the target."""
    grey, other = (x[:, :1].expand(-1, 3, -1, -1).float() for x in (SOURCE, TARGET))
    moved = wasserstein_transfer(grey, grey, other)
    assert moved.dtype == torch.float32
    assert torch.allclose(centred_spectrum(moved), centred_spectrum(other), atol=1e-2)


def test_the_nearest_is_nearest_in_angle() -> None:
    latents = torch.tensor([[1.0, 0.1], [0.1, 2.0]])
    target = torch.tensor([[0.0, 0.5], [9.0, 0.0]])  # the short one is nearer to both in distance
    assert torch.allclose(slerp_to_nearest(latents, target, 1.0), target[[1, 0]])
    assert torch.allclose(slerp_to_nearest(latents, target, 0.0), latents)


def test_halfway_to_the_nearest_halves_the_angle_and_averages_the_norm() -> None:
    g = torch.Generator().manual_seed(0)
    latents, target = torch.randn(5, 3, 4, 4, generator=g), 2 * torch.randn(7, 3, 4, 4, generator=g)
    flat, rows = latents.flatten(1), target.flatten(1)
    cosine = torch.nn.functional.cosine_similarity(flat[:, None], rows[None], dim=2)
    angle, at = torch.acos(cosine).min(dim=1)
    half = slerp_to_nearest(latents, target, 0.5).flatten(1)
    half_angle = torch.acos(torch.nn.functional.cosine_similarity(half, flat))
    assert torch.allclose(half_angle, angle / 2, atol=1e-5)
    assert torch.allclose(half.norm(dim=1), (flat.norm(dim=1) + rows[at].norm(dim=1)) / 2)


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"of one C, H, W"):
        wasserstein_transfer(SOURCE, SOURCE, TARGET[..., :4])
    with pytest.raises(UserError, match=r"n >= 2"):
        wasserstein_transfer(SOURCE, SOURCE, TARGET[:1])
    with pytest.raises(UserError, match=r"fraction must lie in \[0, 1\]"):
        wasserstein_transfer(SOURCE, SOURCE, TARGET, 1.5)
    with pytest.raises(UserError, match=r"fraction must lie in \[0, 1\]"):
        slerp_to_nearest(SOURCE, TARGET, -0.1)
    with pytest.raises(UserError, match=r"share all but the first size"):
        slerp_to_nearest(SOURCE, TARGET[:0], 0.5)
