import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ood_diffusion.checks import UserError
from ood_diffusion.metrics import fid
from ood_diffusion.metrics.fid import FID, frechet_distance


def fid_of(real, generated):
    metric = FID()
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric.compute()["fid"].item()


def moments_of(x):
    return x.mean(0), torch.cov(x.T)


def test_two_known_gaussians():
    """Diagonal covariances: |mu_a - mu_b|^2 + sum (sqrt a - sqrt b)^2."""
    a, b = torch.tensor([1.0, 4.0, 0.0]).double(), torch.tensor([9.0, 1.0, 2.0]).double()
    mean = torch.tensor([0.5, -1.0, 2.0]).double()
    got = frechet_distance(0 * mean, a.diag(), mean, b.diag())
    assert got.item() == pytest.approx(5.25 + 4 + 1 + 2, rel=1e-12)


def test_two_known_gaussians_from_many_draws():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200_000, 3, generator=generator, dtype=torch.float64)
    y = 2 * torch.randn(200_000, 3, generator=generator, dtype=torch.float64) + 1
    assert fid_of(x, y) == pytest.approx(3 + 3, rel=0.02)


def test_agrees_with_scipy_sqrtm(sets):
    (mean_a, cov_a), (mean_b, cov_b) = moments_of(sets.real), moments_of(sets.generated)
    cross = np.real(np.trace(scipy.linalg.sqrtm((cov_a @ cov_b).numpy())))
    wanted = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    assert fid_of(*sets) == pytest.approx(wanted.item(), rel=1e-9)


def test_agrees_with_torch_fidelity(sets):
    statistics = [fid_features_to_statistics(x) for x in sets]
    wanted = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert fid_of(*sets) == pytest.approx(wanted, rel=1e-6)


def test_identical_sets_score_zero(sets):
    assert fid_of(sets.real, sets.real) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("m", "n"), [(15, 12), (12, 15), (12, 12), (300, 12), (12, 260)])
def test_fewer_images_than_dimensions(sets, m, n):
    """Rank-deficient covariances: no digits lost, as the thin singular-value form shows."""
    x, y = sets.real[:m], sets.generated[:n]
    thin_x, thin_y = (x - x.mean(0)) / (m - 1) ** 0.5, (y - y.mean(0)) / (n - 1) ** 0.5
    overlap = torch.linalg.svdvals(thin_x @ thin_y.T).sum()
    wanted = (x.mean(0) - y.mean(0)).square().sum() + thin_x.square().sum() + thin_y.square().sum()
    assert fid_of(x, y) == pytest.approx((wanted - 2 * overlap).item(), rel=1e-9)
    assert fid_of(x, x) == pytest.approx(0, abs=1e-9)


def test_symmetric(sets):
    assert fid_of(*sets) == pytest.approx(fid_of(*reversed(sets)), rel=1e-10)


def test_float64_sums_survive_a_large_mean(sets):
    assert fid_of(sets.real + 1000, sets.generated + 1000) == pytest.approx(fid_of(*sets), rel=1e-6)


@pytest.mark.parametrize("width", [1, 24, 25, 26, 60])
def test_scatter_is_the_sum_of_outer_products(sets, monkeypatch, width):
    """In blocks of columns that do and do not divide the 25 there are."""
    monkeypatch.setattr(fid, "BLOCK", width)
    extended = torch.cat([torch.ones(300, 1), sets.real], dim=1)
    torch.testing.assert_close(fid.scatter(sets.real), extended.T @ extended, rtol=1e-12, atol=0)


def test_memory_does_not_grow_with_images(sets):
    metric = FID()
    for _ in range(5):
        metric.update(sets.real, real=True)
    assert [part.shape for part in metric.real_scatter] == [(25 * 25,)]


def test_one_image_is_too_few(sets):
    metric = FID()
    metric.update(sets.real, real=True)
    metric.update(sets.generated[:1], real=False)
    with pytest.raises(
        UserError, match=r"FID must be given at least 2 generated images, but got 1\. Raise n_samples"
    ):
        metric.compute()


def test_shapes_must_agree():
    with pytest.raises(UserError, match=r"means must be \[d\] and covariances \[d, d\]"):
        frechet_distance(torch.zeros(3), torch.eye(3), torch.zeros(2), torch.eye(2))
