"""Membership is that of the improved precision, by closed balls of the domain's own k-th neighbours."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.distances import inside
from ood_diffusion.metrics.prdc import prdc

G = torch.Generator().manual_seed(0)
DOMAIN, QUERIES = torch.randn(60, 6, generator=G), 1.3 * torch.randn(40, 6, generator=G)


def test_its_mean_is_the_precision() -> None:
    found = inside(QUERIES, DOMAIN, 3)
    assert found.dtype == torch.bool and found.shape == (40,)
    assert 0 < float(found.double().mean()) < 1
    assert float(found.double().mean()) == float(prdc(DOMAIN, QUERIES, 3)["precision"])


def test_each_image_against_scikit_learn() -> None:
    neighbours = NearestNeighbors(n_neighbors=4).fit(DOMAIN.numpy())  # the first is the point itself
    radii = neighbours.kneighbors(DOMAIN.numpy())[0][:, 3]
    far = np.linalg.norm(QUERIES.numpy()[:, None] - DOMAIN.numpy()[None], axis=2)
    assert inside(QUERIES, DOMAIN, 3).tolist() == (far <= radii).any(axis=1).tolist()


def test_balls_are_closed_and_belong_to_the_domain() -> None:
    line = torch.tensor([[0.0], [1.0], [3.0]])  # radii for k = 1: 1, 1, 2
    queries = torch.tensor([[-1.0], [-1.001], [5.0], [5.001]])
    assert inside(queries, line, 1).tolist() == [True, False, True, False]


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="more than 5 images"):
        inside(QUERIES, DOMAIN[:5], 5)
    with pytest.raises(UserError, match="features of one length"):
        inside(QUERIES[:, :3], DOMAIN, 5)
    with pytest.raises(UserError, match="nearest_k must be an integer of at least 1"):
        inside(QUERIES, DOMAIN, 0)
