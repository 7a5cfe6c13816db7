"""Decisions by product and bracket against those by the distances themselves."""

import pytest
import torch

from ood_diffusion.metrics import distances
from ood_diffusion.metrics.distances import compared, k_nearest, neighbour_radii
from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.metrics.prdc import prdc

pytestmark = pytest.mark.slow

K = 3


def direct(a, b):
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def directly(real, generated, k):
    """The definitions, on whole matrices of distances."""
    radius = direct(real, real).kthvalue(k + 1, dim=1).values
    reach = direct(generated, generated).kthvalue(k + 1, dim=1).values
    between = direct(generated, real)
    return (
        (between <= radius).any(dim=1).double().mean(),
        (between <= reach[:, None]).any(dim=0).double().mean(),
        (between < radius).double().sum() / (k * len(generated)),
        (between < radius).any(dim=0).double().mean(),
    )


def random_sets(d=40):
    return torch.randn(2, 90, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def duplicates():
    real, generated = random_sets()
    real[40:70], generated[:30] = real[0], real[5]
    generated[30:50], generated[80:] = generated[50:70], real[:10]
    return real, generated


def lattice():
    return torch.randint(0, 2, (2, 120, 6), generator=torch.Generator().manual_seed(0)).double()


def one_image():
    return torch.ones(2, 20, 5, dtype=torch.float64).unbind()


def float32_features():
    return random_sets().float()


def two_far_clusters():
    """A spread of 1e-5 at a distance of 1e4: no product can tell neighbours apart."""
    real, generated = random_sets()
    far = torch.where(torch.arange(90) % 2 == 0, 1e4, 0.0)[:, None]
    return real * 1e-5 + far, generated * 1e-5 + far


CASES = {
    "random": random_sets,
    "wide": lambda: random_sets(700),
    "one column": lambda: random_sets(1),
    "duplicates": duplicates,
    "lattice": lattice,
    "one image": one_image,
    "identical": lambda: (random_sets()[0],) * 2,
    "float32": float32_features,
    "offset": lambda: random_sets() + 1e4,
    "tiny spread": lambda: random_sets() * 1e-9 + 1e4,
    "two far clusters": two_far_clusters,
    "underflow in float32": lambda: random_sets() * 1e-30,
    "underflow in float64": lambda: random_sets() * 1e-160,
    "overflow in float32": lambda: random_sets() * 1e30,
    "some squares overflow": lambda: random_sets() * torch.tensor([1e19, 1e18, 3e18]).repeat(30)[:, None],
    "few": lambda: random_sets()[:, : K + 1],
    "few that overflow": lambda: random_sets()[:, : K + 2] * 1e30,
    "one outlier": lambda: random_sets() * (1 + 1e6 * (torch.arange(90) == 7))[:, None],
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param()


@pytest.fixture(params=[1, 200, 10**6], ids=lambda pairs: f"{pairs} pairs at a time")
def block(request, monkeypatch):
    monkeypatch.setattr(distances, "PAIRS", request.param)


def test_all_four_equal_the_definitions(case, block):
    assert tuple(prdc(*case, K).values()) == directly(*case, K)


def test_neighbours_equal_those_of_all_distances(case, block):
    real, generated = case
    whole = direct(generated, real)
    found, at = nearest(generated, real)
    assert torch.equal(found, whole.min(dim=1).values)
    assert torch.equal(at, whole.argmin(dim=1))
    assert torch.equal(neighbour_radii(real, K), direct(real, real).kthvalue(K + 1, dim=1).values)
    found, at = k_nearest(generated, real, K)
    assert torch.equal(found, whole.sort(dim=1).values[:, :K])
    assert torch.equal(found, whole.gather(1, at))


@pytest.mark.parametrize("d", [1, 30, 1000])
def test_the_bracket_holds(d):
    """At the least favourable signs: every product of one sign, so that round-off adds up."""
    a, b = torch.rand(2, 200, d, dtype=torch.float64, generator=torch.Generator().manual_seed(d)) + 0.5
    square, slack = distances._bracket(a, b)
    error = (square - direct(a, b).square()).abs()
    assert (error <= slack).all()
    assert error.max() > slack.min() / 10000


def test_the_bracket_spares_the_distances(monkeypatch):
    """Of well spread points only neighbours are open, and a handful near a sphere: no whole row."""
    real, generated = random_sets(200)
    opened, settled = [], distances._settled

    def counted(a, b, q, unsure):
        opened.append(unsure.sum())
        return settled(a, b, q, unsure)

    monkeypatch.setattr(distances, "_settled", counted)
    prdc(real, generated, K)
    assert sum(opened) < (2 * (K + 1) + 1) * 90


def test_the_side_of_a_sphere():
    a, b = torch.tensor([[[0.0]], [[3.0]]]).double()
    for radius, side in ((3.1, -1), (3.0, 0), (2.9, 1)):
        assert (compared(a, b, torch.tensor([radius]).double()) - radius).sign() == side


def test_autocast_costs_no_digit():
    real, generated = random_sets()
    wanted = directly(real, generated, K)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert tuple(prdc(real, generated, K).values()) == wanted
