import math

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.samplers.draw import Draw
from ood_diffusion.samplers.propose import Acceptance, propose
from ood_diffusion.samplers.selection import Geometric, KeepAll, Selection
from ood_diffusion.seeding import generator

SHAPE = (3, 8, 8)


def gaussian(n: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def streams(n: int) -> list[torch.Generator]:
    return [generator(0, "selection", j) for j in range(n)]


def collect(
    selection: Selection, n: int, scale: float = 1.0, limit: int = 10_000
) -> tuple[Tensor, Acceptance]:
    x = gaussian(64)
    sampler, acceptance = Draw(), Acceptance()
    sampler.bind(x, Gaussian("scalar").fit(scale * x))
    selection.bind(x)
    return torch.cat(list(propose(sampler, selection, n, 0, limit, acceptance))), acceptance


def test_equal_to_one_candidate_at_a_time() -> None:
    """The published algorithm in plain Python, with the learned targets."""
    references, proposals = gaussian(40), gaussian(30, 1.05, seed=1)
    geometric = Geometric(companions=6, tolerance=1.0)
    geometric.bind(references)
    ours = geometric.judge(proposals, streams(30))
    for j, z in enumerate(proposals.double().flatten(1)):
        chosen = torch.randperm(40, generator=streams(30)[j])[:6]
        xs = references[chosen].double().flatten(1)
        distance = sum(float((z - x).norm()) for x in xs) / 6
        origin = sum(math.degrees(math.acos(float(z @ x / z.norm() / x.norm()))) for x in xs) / 6
        pairs = [
            math.degrees(math.acos(float((a - z) @ (b - z) / (a - z).norm() / (b - z).norm())))
            for i, a in enumerate(xs)
            for b in xs[i + 1 :]
        ]
        figures = {"distance": distance, "origin_angle": origin, "pair_angle": sum(pairs) / len(pairs)}
        for test, figure in figures.items():
            mean, sd = geometric.target[test]
            assert bool(ours[test][j]) == (abs(figure - mean) <= 1.0 * sd), (j, test)
    shares = [float(verdict.double().mean()) for verdict in ours.values()]
    assert 0 < min(shares) < max(shares) < 1  # both verdicts occurred


def test_verdicts_do_not_depend_on_the_block() -> None:
    geometric, proposals = Geometric(companions=10, tolerance=1.0), gaussian(30, 1.02, seed=1)
    geometric.bind(gaussian(50))
    whole = geometric.judge(proposals, streams(30))
    parts = [geometric.judge(proposals[i:j], streams(30)[i:j]) for i, j in ((0, 7), (7, 8), (8, 30))]
    for test, verdict in whole.items():
        assert torch.equal(torch.cat([part[test] for part in parts]), verdict)


def test_targets_are_the_references_own_geometry() -> None:
    geometric = Geometric(companions=10, tolerance=2.0)
    geometric.bind(gaussian(200))
    d = math.prod(SHAPE)
    assert geometric.target["distance"][0] == pytest.approx(math.sqrt(2 * d), rel=0.01)
    assert geometric.target["origin_angle"][0] == pytest.approx(90, abs=0.3)
    assert geometric.target["pair_angle"][0] == pytest.approx(60, abs=0.3)


def test_what_looks_like_the_references_passes_and_what_does_not_fails() -> None:
    geometric = Geometric(companions=10, tolerance=2.5)
    geometric.bind(gaussian(300))
    alike = geometric.judge(gaussian(300, seed=1), streams(300))
    assert all(float(v.double().mean()) > 0.9 for v in alike.values())
    wide = geometric.judge(gaussian(300, 1.3, seed=1), streams(300))
    assert float(wide["distance"].double().mean()) < 0.05
    copies = geometric.judge(geometric.references[:100], streams(100))
    assert float(copies["distance"].double().mean()) > 0  # among companions that may leave it out


def test_first_samples_do_not_depend_on_how_many_are_asked_for() -> None:
    few, _ = collect(Geometric(10, 1.0), 20)
    many, acceptance = collect(Geometric(10, 1.0), 90)
    assert torch.equal(many[:20], few)
    assert acceptance.accepted == 90 < acceptance.proposed


def test_acceptance_counts() -> None:
    z, acceptance = collect(Geometric(10, 1.0), 70)
    rates = acceptance.rates()
    assert len(z) == 70 and set(rates) == {"distance", "origin_angle", "pair_angle", "all"}
    assert rates["all"] == pytest.approx(70 / acceptance.proposed)
    assert rates["all"] <= min(rates[t] for t in Geometric.tests) < 1
    assert collect(KeepAll(), 70)[1] == Acceptance(proposed=70, accepted=70, passed={})


def test_nothing_passes() -> None:
    with pytest.raises(UserError, match=r"only 0 of 128 proposals passed.*distance 0\.0%.*tolerance"):
        collect(Geometric(10, 0.5), 5, scale=3.0, limit=128)
