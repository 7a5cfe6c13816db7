import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from ood_diffusion.checks import UserError
from ood_diffusion.metrics import kid
from ood_diffusion.metrics.kid import kernel, kernel_mmd


def test_agrees_with_torch_fidelity_on_one_subset_of_full_size(sets):
    x, y = sets.real[:200], sets.generated[:200]
    options = {"kid_subsets": 1, "kid_subset_size": 200, "rng_seed": 0, "verbose": False}
    wanted = kid_features_to_metric(x, y, **options)["kernel_inception_distance_mean"]
    assert kernel_mmd(x, y).item() == pytest.approx(wanted, rel=1e-6)


def test_equals_the_definition_for_unequal_counts():
    x, y = torch.rand(5, 3, dtype=torch.float64), torch.rand(4, 3, dtype=torch.float64)
    within = [
        sum(kernel(z, z)[i, j] for i in range(n) for j in range(n) if i != j) for z, n in ((x, 5), (y, 4))
    ]
    wanted = within[0] / 20 + within[1] / 12 - 2 * kernel(x, y).mean()
    assert kernel_mmd(x, y).item() == pytest.approx(wanted.item(), rel=1e-12)


def test_unbiased_for_equal_distributions():
    generator = torch.Generator().manual_seed(0)
    values = torch.stack([kernel_mmd(*torch.randn(2, 20, 4, generator=generator)) for _ in range(300)])
    assert abs(values.mean()) < 4 * values.std() / 300**0.5
    assert (values < 0).any()


def test_independent_of_the_block_size(sets, monkeypatch):
    whole = kernel_mmd(*sets)
    monkeypatch.setattr(kid, "BLOCK", 7)
    assert kernel_mmd(*sets).item() == pytest.approx(whole.item(), rel=1e-9)


def test_one_image_is_too_few(sets):
    with pytest.raises(UserError, match="KID must be given at least 2 real images, but got 1"):
        kernel_mmd(sets.real[:1], sets.generated)
