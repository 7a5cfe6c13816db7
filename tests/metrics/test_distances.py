"""Decisions by product and bracket against those by the distances themselves."""

import pytest
import torch

from ood_diffusion.metrics import brackets, distances
from ood_diffusion.metrics.brackets import points, product_dtype, squares
from ood_diffusion.metrics.distances import k_nearest, neighbour_radii, sides
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
    """A spread of 1e-5 at a distance of 1e4: no float32 product can tell neighbours apart."""
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
    monkeypatch.setattr(brackets, "BLOCK", request.param)


def test_all_four_equal_the_definitions(case, block):
    assert tuple(prdc(*case, K).values()) == directly(*case, K)


def test_neighbours_equal_those_of_all_distances(case, block):
    real, generated = case
    whole = direct(generated, real)
    found, at = nearest(generated, real)
    assert torch.equal(found, whole.min(dim=1).values)
    assert torch.equal(at, whole.argmin(dim=1))
    seen = points(real, real.double().mean(dim=0))
    assert torch.equal(neighbour_radii(seen, K), direct(real, real).kthvalue(K + 1, dim=1).values)
    found, at = k_nearest(points(generated, real.double().mean(dim=0)), seen, K)
    assert torch.equal(found, whole.sort(dim=1).values[:, :K])
    assert torch.equal(found, whole.gather(1, at))


def test_any_centre_is_right(case):
    real, generated = case
    far = torch.full(real.shape[1:], 1e6, dtype=torch.float64)
    assert torch.equal(
        k_nearest(points(generated, far), points(real, far), K)[0],
        direct(generated, real).sort(dim=1).values[:, :K],
    )


@pytest.mark.parametrize("d", [1, 30, 1000])
def test_the_bracket_holds(d):
    """At the least favourable signs: every product of one sign, so that round-off adds up."""
    a, b = torch.rand(2, 200, d, dtype=torch.float64, generator=torch.Generator().manual_seed(d)) + 0.5
    zero = torch.zeros(d, dtype=torch.float64)
    x, y = points(a, zero), points(b, zero)
    error = (squares(x, y).double() - direct(a, b).square()).abs()
    half_width = x.slack.double()[:, None] + y.slack
    assert (error <= half_width).all()
    assert error.max() > half_width.min() / 1000


def test_the_bracket_spares_the_distances(monkeypatch):
    """Of well spread points, hardly a pair is open: no whole row, a handful near a sphere."""
    real, generated = random_sets(200)
    opened = []
    monkeypatch.setattr(
        distances,
        "distances_where",
        lambda a, b, wanted, whole=distances.distances_where: (
            opened.append(wanted.sum()) or whole(a, b, wanted)
        ),
    )
    prdc(real, generated, K)
    assert sum(opened) < 2 * 90


def test_the_side_of_a_sphere():
    a, b = (points(x, torch.zeros(1).double()) for x in torch.tensor([[[0.0]], [[3.0]]]).double())
    for radius, side in ((3.1, -1), (3.0, 0), (2.9, 1)):
        assert sides(a, b, squares(a, b), torch.tensor([radius]).double()).item() == side


def test_reduced_precision_is_noticed():
    """Under autocast a product loses digits that the bracket counts on, so it is made in float64."""
    assert product_dtype(torch.device("cpu")) == torch.float32
    real, generated = random_sets()
    wanted = directly(real, generated, K)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert product_dtype(torch.device("cpu")) == torch.float64
        assert tuple(prdc(real, generated, K).values()) == wanted
