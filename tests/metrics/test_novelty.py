import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.novelty import nearest, novelty


@pytest.fixture
def images():
    return torch.randn(3, 400, 6, generator=torch.Generator().manual_seed(0))


def test_nearest_finds_the_planted_neighbour(images):
    references, queries, _ = images
    queries = queries.clone()
    queries[7] = references[123]
    found, index = nearest(queries, references)
    assert (found[7], index[7]) == (0, 123)
    brute = (queries.double()[:, None] - references.double()[None]).norm(dim=2)
    torch.testing.assert_close(found, brute.min(dim=1).values)
    assert torch.equal(index, brute.argmin(dim=1))


def test_new_images_of_the_domain_are_as_novel_as_held_out_ones(images):
    got = novelty(*images)
    assert got["ratio"] == pytest.approx(1, abs=0.05)
    assert got["copies"] <= 0.03
    assert got["generated"] == pytest.approx(nearest(images[0], images[1])[0].mean().item())


def test_copies_are_seen(images):
    new, references, held_out = images
    mixed = torch.cat([new[:300], references[:100]])
    got = novelty(mixed, references, held_out)
    assert got["copies"] == pytest.approx(0.25, abs=0.03)
    assert novelty(references[:50], references, held_out) == {
        "generated": 0,
        "held_out": pytest.approx(got["held_out"]),
        "ratio": 0,
        "copies": 1,
    }


def test_held_out_images_must_not_be_references(images):
    with pytest.raises(UserError, match="held-out images must differ from the references"):
        novelty(images[0], images[1], images[1][:10])


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0)])
def test_empty_sets(images, n, m):
    with pytest.raises(UserError, match="at least one generated and one held-out"):
        novelty(images[0][:n], images[1], images[2][:m])


def test_widths_must_agree(images):
    with pytest.raises(UserError, match=r"must share d, with n >= 1"):
        nearest(images[0], images[1][:, :3])
    with pytest.raises(UserError, match=r"must share d, with n >= 1"):
        nearest(images[0], images[1][:0])
