"""Pictures drawn from a Gaussian model, for which every one of them is known in closed form."""

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda, uniform_t
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.domains.base import Split
from ood_diffusion.domains.drawing import BLOCK
from ood_diffusion.domains.model_samples import KEPT, ModelSamples
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import build
from ood_diffusion.seeding import generator, normal
from tests.composed import composed
from tests.laws.gaussian import GaussianOracle

SIZE = 8
SHAPE = (3, SIZE, SIZE)


class Gaussian(nn.Module):
    """The noise estimate for data N(mean, diag(variance)), in float32 as a network's."""

    def __init__(self, mean: Tensor, variance: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("variance", variance)
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.shapes.append(tuple(x.shape))
        oracle = GaussianOracle(Schedule.linear(), self.mean, self.variance)
        return oracle.eps(x.double(), float(timestep) + 1).float()


def gaussian(mean: float = 0.1) -> Gaussian:
    """A slope in the mean, standard deviations from 0.25 to 0.1: nothing is clipped."""
    slope = torch.linspace(-0.2, 0.2, 3 * SIZE**2).view(SHAPE)
    return Gaussian(mean + slope, torch.linspace(0.25, 0.1, 3 * SIZE**2).view(SHAPE) ** 2)


def samples(network: Gaussian | None = None, **settings: Any) -> ModelSamples:
    model = FrozenModel(network or gaussian(), Schedule.linear(), SHAPE, "epsilon", {})
    parts = {"image_size": SIZE, "solver": DPMpp2M(), "grid": uniform_lambda}
    return ModelSamples(**{**parts, "model": model, **settings})


def rendered(domain: ModelSamples, split: Split, indices: range) -> Tensor:
    return torch.stack([domain.render(split, i) for i in indices])


def test_each_picture_is_where_the_exact_trajectory_ends() -> None:
    """From the item's own noise; what is left is the rounding to bytes (root mean square 0.289)."""
    network = gaussian()
    pictures = rendered(samples(network, steps=60, seed=3), "held_out", range(20))
    noise = normal([generator(3, "model_samples", "held_out", i) for i in range(20)], SHAPE)
    oracle = GaussianOracle(Schedule.linear(), network.mean, network.variance)
    exact = (oracle.carry(noise.double(), 1000, 0) + 1) * 127.5
    assert pictures.dtype == torch.uint8 and pictures.shape == (20, *SHAPE)
    error = pictures - exact
    assert float(error.square().mean().sqrt()) < 0.3
    assert float(error.abs().max()) < 0.8 and abs(float(error.mean())) < 0.02


def test_pictures_have_the_models_mean_and_variance() -> None:
    network, n = gaussian(), 512
    pictures = rendered(samples(network), "references", range(n)).double() / 127.5 - 1
    error = (pictures.mean(dim=0) - network.mean) / (network.variance / n).sqrt()
    assert float(error.abs().max()) < 4.5 and abs(float(error.mean())) < 0.3
    ratio = pictures.var(dim=0) / network.variance
    assert float(ratio.mean()) == pytest.approx(1, abs=0.03)
    assert float((ratio - 1).abs().max()) < 4.5 * (2 / n) ** 0.5


def test_what_lies_beyond_white_is_clipped() -> None:
    assert int(samples(gaussian(2.7)).render("references", 0).min()) == 255


def test_the_order_of_requests_does_not_matter_and_blocks_are_drawn_whole() -> None:
    network = gaussian()
    forwards = rendered(samples(network, steps=4), "references", range(3 * BLOCK))
    alone, together = [(1, *SHAPE)] * 4 * BLOCK, [(BLOCK, *SHAPE)] * 4 * 2
    assert network.shapes == [*alone, *together], "in order every block is drawn once"
    backwards = rendered(samples(steps=4), "references", range(3 * BLOCK - 1, -1, -1)).flip(0)
    assert torch.equal(forwards, backwards)
    assert torch.equal(samples(steps=4).render("references", BLOCK + 3), forwards[BLOCK + 3])


def test_a_forgotten_block_comes_back_the_same() -> None:
    network = gaussian()
    domain = samples(network, steps=2)
    first = domain.render("references", BLOCK)
    first_again = domain.render("references", BLOCK)
    calls = len(network.shapes)
    first_again.zero_()  # a caller's changes are the caller's
    for block in range(2, KEPT + 2):
        domain.render("references", block * BLOCK)
    assert len(network.shapes) == calls * (KEPT + 1)
    assert torch.equal(domain.render("references", BLOCK), first)
    assert len(network.shapes) == calls * (KEPT + 2), "only so many blocks are kept"


def test_addresses_hold_whether_the_network_is_compiled() -> None:
    plain, compiled = samples(), samples()
    assert plain.key("references", 0) == compiled.key("references", 0)
    compiled = samples()
    compiled.drawing.model.compute_in("fp32", compile=True)
    assert plain.key("references", 0) != compiled.key("references", 0)


def test_splits_and_seeds_are_different_draws() -> None:
    domain = samples(steps=4)
    sets = [rendered(domain, "references", range(4)), rendered(domain, "held_out", range(4))]
    sets.append(rendered(samples(steps=4, seed=1), "references", range(4)))
    assert len({picture.numpy().tobytes() for picture in torch.cat(sets)}) == 12


def test_the_key_holds_everything_that_determines_a_picture() -> None:
    def key(split: Split = "references", index: int = 0, **settings: Any) -> str:
        return samples(**settings).key(split, index)

    others = [
        key(split="held_out"),
        key(index=1),
        key(network=gaussian(0.1001)),
        key(seed=1),
        key(steps=25),
        key(solver=DDIM()),
        key(grid=uniform_t),
        key(image_size=9),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key() == key(steps=24, seed=0)


def test_another_size_is_that_of_a_users_picture() -> None:
    """A white model stays white; a slope keeps its ends and direction."""
    assert bool((samples(gaussian(2.7), image_size=12).render("references", 0) == 255).all())
    slope = torch.linspace(-0.8, 0.8, SIZE).expand(SHAPE)
    small = samples(Gaussian(slope, torch.full(SHAPE, 1e-6)), image_size=4).render("references", 0)
    expected = (slope.reshape(3, 4, 2, 4, 2).mean(dim=(2, 4)) + 1) * 127.5
    assert float((small[:, 1:3, 1:3] - expected[:, 1:3, 1:3]).abs().max()) < 1.5


def test_it_can_be_pickled_and_computes_in_fp32_whatever_the_precision() -> None:
    domain = samples(steps=4)
    picture = domain.render("references", 5)
    again = pickle.loads(pickle.dumps(domain))
    assert torch.equal(again.render("references", 5), picture)
    assert again.key("references", 5) == domain.key("references", 5)

    model = composed_model().compute_in("bf16", compile=False)
    exact = composed_model()
    pictures = [samples(model=m, image_size=64, steps=2).render("references", 0) for m in (model, exact)]
    assert torch.equal(*pictures)


def composed_model() -> Any:
    return build(composed().model)


def test_another_model_solver_and_grid_can_be_chosen() -> None:
    cfg = composed("domain=model_samples")
    chosen = composed(
        "domain=model_samples",
        "model@domain.model=afhq_dog_256",
        "domain.model.weights=mine.pt",
        "solver@domain.solver=ddim",
        "grid@domain.grid=karras",
        "schedule@domain.model.schedule=cosine",
    )
    assert cfg.domain.model == cfg.model and chosen.model == cfg.model
    assert chosen.domain.model.weights == "mine.pt" and chosen.domain.model.image_size == 256
    assert chosen.domain.solver._target_.endswith("DDIM") and chosen.domain.grid._target_.endswith("karras")
    assert "cosine" in chosen.domain.model.schedule._target_


def test_the_model_of_the_run_can_be_handed_in() -> None:
    """Not a copy of it: its weights are in memory once."""
    model = FrozenModel(gaussian(), Schedule.linear(), SHAPE, "epsilon", {})
    part = composed("domain=model_samples").domain
    part.model = None
    domain = build(part, image_size=SIZE, model=model)
    assert domain.drawing.model is model
    assert domain.key("references", 0) == samples().key("references", 0)


@pytest.mark.parametrize(("settings", "message"), [({"steps": 0}, "steps must"), ({"seed": -1}, "seed must")])
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        samples(**settings)
