import math

import pytest
import torch

from ood_diffusion.metrics.intra_cluster import IntraCluster, intra_distances
from tests.statistics.rates import coverage, holds


def cloud(n, seed, d=5):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def judged(generated, real, references):
    metric = IntraCluster()
    metric.bind(references)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric


def test_equals_the_definition():
    references, images = cloud(4, 0, 2), cloud(40, 1, 2)
    owner = (images[:, None] - references).norm(dim=2).argmin(dim=1)
    for i, found in enumerate(intra_distances(images, references)):
        own = images[owner == i]
        assert float(found) == pytest.approx(float(torch.pdist(own).mean()))


def test_references_with_fewer_than_two_images_do_not_count():
    references = torch.tensor([[0.0], [10], [20]])
    found = intra_distances(torch.tensor([[0.0], [1], [10]]), references)
    assert found.isnan().tolist() == [False, True, True] and float(found[0]) == 1


def test_fresh_images_and_repeats():
    references, real = cloud(10, 0), cloud(400, 1)
    fresh = judged(cloud(400, 2), real, references)
    assert fresh.compute()["intra_cluster"].item() == pytest.approx(1, abs=0.05)
    repeats = judged(references.repeat(20, 1), real, references)
    assert repeats.compute()["intra_cluster"].item() == 0
    near = judged(references.repeat(20, 1) + 0.1 * cloud(200, 3), real, references)
    assert 0 < near.compute()["intra_cluster"].item() < 0.2


def test_scale_does_not_matter():
    references, real, new = cloud(5, 0), cloud(50, 1), cloud(50, 2)
    wanted = judged(new, real, references).compute()["intra_cluster"].item()
    assert judged(7 * new, 7 * real, 7 * references).compute()["intra_cluster"].item() == pytest.approx(
        wanted
    )


def test_fresh_images_lie_within_the_interval_of_one():
    found = []
    for seed in range(100):
        metric = IntraCluster()
        metric.bind(cloud(20, 3 * seed + 2))
        (interval,) = metric.intervals({}, cloud(200, 3 * seed + 1), cloud(200, 3 * seed)).values()
        found.append(interval)
    assert holds(found, 1.0, 0.9, 0.97), coverage(found, 1.0)


def test_images_around_one_reference_only_have_none():
    references, real = cloud(3, 2), cloud(90, 1)
    near_one = references[:1] + 0.01 * cloud(9, 0)
    assert judged(near_one, real, references).compute()["intra_cluster"].isnan()
    metric = IntraCluster()
    metric.bind(references)
    (interval,) = metric.intervals({}, real, near_one).values()
    assert all(map(math.isnan, (interval.value, interval.low, interval.high)))
