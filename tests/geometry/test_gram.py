import math

import pytest
import torch

from ood_diffusion.geometry import gram as g
from ood_diffusion.geometry.slerp import slerp


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
    square, inner = g.squared_norms(x), g.gram(x, x)
    upper = torch.triu_indices(400, 400, offset=1)
    companions = (torch.arange(400)[:, None] + torch.arange(1, 4)) % 400
    among = inner[companions[:, :, None], companions[:, None, :]]
    seen = {
        "norm": square.sqrt(),
        "origin_angle": g.origin_angles(inner, square, square)[upper[0], upper[1]],
        "pair_distance": g.distances(inner, square, square)[upper[0], upper[1]],
        "vertex_angle": g.vertex_angles(inner.gather(1, companions), square, among).flatten(),
    }
    predicted = g.isotropic(d)
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
