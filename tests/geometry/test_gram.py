import math

import pytest
import torch

from ood_diffusion.geometry import gram as g
from ood_diffusion.geometry.slerp import slerp
from ood_diffusion.geometry.within import within


def points(n: int, seed: int, d: int = 40) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + 0.2


def test_equal_to_the_plain_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g, "CHUNK", 16)  # several chunks and a remainder
    a, b = points(5, 0), points(7, 1)
    inner, sa, sb = g.gram(a, b), g.squared_norms(a), g.squared_norms(b)
    assert torch.allclose(inner, a.double() @ b.double().T)
    assert torch.allclose(g.distances(inner, sa, sb), torch.cdist(a.double(), b.double()))
    cosine = torch.nn.functional.cosine_similarity(a[:, None].double(), b[None].double(), dim=-1)
    assert torch.allclose(g.origin_angles(inner, sa, sb), torch.rad2deg(cosine.acos()))


@pytest.mark.parametrize("d", [192, 97, 12288])
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_chosen_products_are_those_of_float64(d: int, mean: float) -> None:
    """With a strong mean nothing cancels and rounding errors add up; 97 coordinates are one segment."""
    a, b = points(20, 0, d) + mean, points(30, 1, d) + mean
    chosen = torch.stack([torch.randperm(30)[:7] for _ in range(20)])
    exact, sizes = g.gram(a, b), g.squared_norms(a)[:, None].sqrt() * g.squared_norms(b).sqrt()
    off = (g.chosen_products(a, b, chosen) - exact.gather(1, chosen)).abs() / sizes.gather(1, chosen)
    assert float(off.max()) < (1e-6 if mean else 1e-7)
    assert float(((g.gram(a, b, torch.float32) - exact).abs() / sizes).max()) < 1e-6
    double = g.chosen_products(a.double(), b.double(), chosen)
    assert torch.allclose(double, exact.gather(1, chosen), rtol=0, atol=1e-12 * float(sizes.max()))


@pytest.mark.parametrize("apart", [1.0, 0.3])
def test_distances_and_angles_from_chosen_products(apart: float) -> None:
    """Latents of norm about 111 that lie `apart` of their norm away: 1e-5 of the distance, 1e-3 degrees."""
    z = points(16, 0, 12288)
    x = (z[:, None] + apart * points(16 * 5, 1, 12288).view(16, 5, -1)).flatten(0, 1)
    chosen = torch.arange(80).view(16, 5)
    square, theirs = (g.chosen_products(p, p, torch.arange(len(p))[:, None])[:, 0] for p in (z, x))
    inner, theirs = g.chosen_products(z, x, chosen), theirs[chosen]
    among = torch.stack([g.gram(own, own, torch.float32) for own in x.view(16, 5, -1)])
    difference = x.view(16, 5, -1).double() - z[:, None].double()
    far = difference.norm(dim=2)
    assert float((g.distances(inner, square, theirs) / far - 1).abs().max()) < 1e-5
    cosine = torch.nn.functional.cosine_similarity(z[:, None].double(), x.view(16, 5, -1).double(), dim=2)
    origin = torch.rad2deg(cosine.acos())
    assert float((g.origin_angles(inner, square, theirs) - origin).abs().max()) < 1e-3
    directions = difference / far[:, :, None]
    first, second = torch.triu_indices(5, 5, offset=1)
    pair = torch.rad2deg((directions @ directions.mT).acos()[:, first, second])
    assert float((g.vertex_angles(inner, square, among) - pair).abs().max()) < 1e-3


def test_a_copy_lies_at_distance_zero_and_at_right_angles_to_the_others() -> None:
    x = points(9, 0, 12288)
    z, chosen = x[:3].clone(), torch.tensor([[0, 5, 6], [7, 1, 8], [3, 4, 2]])
    itself = torch.arange(9)[:, None]
    square, theirs = g.chosen_products(z, z, itself[:3])[:, 0], g.chosen_products(x, x, itself)[:, 0]
    inner = g.chosen_products(z, x, chosen)
    assert g.distances(inner, square, theirs[chosen]).diagonal().tolist() == [0.0, 0.0, 0.0]
    among = torch.stack([g.gram(x[own], x[own]) for own in chosen])
    among.diagonal(dim1=1, dim2=2).copy_(theirs[chosen])
    angles = g.vertex_angles(inner, square, among)  # pairs (0, 1), (0, 2), (1, 2)
    with_copy = torch.stack([angles[0, [0, 1]], angles[1, [0, 2]], angles[2, [1, 2]]])
    assert torch.allclose(with_copy, torch.full((3, 2), 90.0).double(), atol=0.1)
    far = g.distances(g.gram(z, x), g.squared_norms(z), g.squared_norms(x)).diagonal()
    assert float((far / square.sqrt()).max()) < 1e-6  # float64 gram with float64 norms, as documented


def test_chosen_products_copy_no_points() -> None:
    a, b = points(8, 0, 4096), points(400, 1, 4096)
    chosen = torch.stack([torch.randperm(400)[:10] for _ in range(8)])
    g.chosen_products(a, b, chosen)
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(profile_memory=True, activities=cpu) as seen:
        g.chosen_products(a, b, chosen)
    made = sum(max(0, event.self_cpu_memory_usage) for event in seen.events())
    assert 0 < made < b.numel() * 4 / 20


def test_vertex_angles_one_at_a_time() -> None:
    z, refs = points(3, 0), points(4, 1)
    ours = g.vertex_angles(g.gram(z, refs), g.squared_norms(z), g.gram(refs, refs).expand(3, 4, 4))
    for row in range(3):
        expected = []
        for i in range(4):
            for j in range(i + 1, 4):
                u, v = (refs[i] - z[row]).double(), (refs[j] - z[row]).double()
                expected.append(math.degrees(math.acos(float(u @ v / (u.norm() * v.norm())))))
        assert ours[row].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("d", [3072, 12288])
def test_isotropic_predictions_are_what_gaussians_show(d: int) -> None:
    x = torch.randn(400, d, generator=torch.Generator().manual_seed(0))
    seen, predicted = within(g.gram(x, x)), g.isotropic(d)
    assert [len(values) for values in seen.values()] == [400, 400 * 399 / 2, 400 * 399 / 2, 400 * 45]
    for name, values in seen.items():
        sd = predicted[f"{name}_sd"]
        assert float(values.std()) == pytest.approx(sd, rel=0.1), name
        assert float(values.mean()) == pytest.approx(predicted[f"{name}_mean"], abs=0.2 * sd), name


def test_slerp_ends_and_norms() -> None:
    a, b = points(6, 0), 3 * points(6, 1)
    assert torch.allclose(slerp(a, b, torch.zeros(6)), a, atol=1e-5)
    assert torch.allclose(slerp(a, b, torch.ones(6)), b, atol=1e-5)
    middle = slerp(a, b, torch.full((6,), 0.25))
    assert torch.allclose(middle.norm(dim=1), 0.75 * a.norm(dim=1) + 0.25 * b.norm(dim=1), rtol=1e-5)


def test_slerp_angle_is_proportional() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    z = slerp(a, b, torch.tensor([1 / 3]))
    assert math.degrees(math.atan2(float(z[0, 1]), float(z[0, 0]))) == pytest.approx(30, abs=1e-4)


def test_slerp_of_parallel_points_is_linear() -> None:
    a = points(1, 0)
    assert torch.allclose(slerp(a, 3 * a, torch.tensor([0.5])), 2 * a, rtol=1e-5)
