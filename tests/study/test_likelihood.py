"""The stage likelihood: its density against closed forms, and the real command, small."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.report.plan.work import Plan, spent
from ood_diffusion.seeding import generator
from ood_diffusion.study.likelihood.density import (
    TRACES,
    Density,
    bits_per_value,
    dequantised,
    divergence,
    signs,
)
from ood_diffusion.study.likelihood.stage import Likelihood
from tests.cli import QUICK, TINY, results, run_cli
from tests.laws.gaussian import SCHEDULES
from tests.lightning.networks import gaussian_model

SHAPE = (1, 4, 4)
DEVIATION = torch.linspace(0.1, 0.8, 16, dtype=torch.float64).view(SHAPE)


class Exact(FrozenModel):
    """Data N(0, diag(DEVIATION²)) on any schedule, in float64."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(nn.Identity(), schedule, SHAPE, "epsilon", {})

    def eps(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        return sigma * x / (alpha**2 * DEVIATION**2 + sigma**2)


def test_gradients_are_those_of_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `torch.compile` makes gives one product with the Jacobian and frees what a second one needs."""
    model = gaussian_model().compute_in("fp32", True)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: pytest.fail("compiled"))
    x = torch.ones(2, 3, 8, 8)
    slope, products = divergence(model.eps, x, 600.0, [torch.ones_like(x)] * 2)
    assert slope.shape == x.shape and torch.equal(*products)


def exact_bits(x0: Tensor, schedule: Schedule, top: float) -> Tensor:
    """Per value, of images ``[n, *SHAPE]``: the map to `top` is linear, and the density there normal."""
    total = [schedule.alpha(t) ** 2 * DEVIATION**2 + schedule.sigma(t) ** 2 for t in (1.0, top)]
    stretch = schedule.alpha(1.0) * (total[1] / total[0]).sqrt()
    normal = torch.distributions.Normal(0.0, schedule.spread(top))
    nats = normal.log_prob(stretch * x0) + stretch.log()
    return -nats.flatten(1).mean(dim=1) / math.log(2)


def measured_bits(x0: Tensor, schedule: Schedule, top: float, steps: int) -> Tensor:
    levels = uniform_lambda(schedule, top, steps)[1:]
    module = Density(Exact(schedule), DPMpp2M(), levels, 1, seed=0)
    with torch.inference_mode():  # as in Lightning's loop
        rows = module.predict_step({"ids": [f"{i}" for i in range(len(x0))], "data": x0})
    return bits_per_value(rows, schedule, levels, bytes_=False)[:, 0]


@pytest.mark.parametrize("name", ["linear", "cosine", "exploding", "flow"])
def test_density_of_the_gaussian_oracle(name: str) -> None:
    """A diagonal Jacobian leaves the probes no error: what remains is of second order in the steps."""
    schedule = SCHEDULES[name]
    top = 1000.0 if schedule.alpha(1000.0) else 999.0
    g = torch.Generator().manual_seed(0)
    x0 = DEVIATION * torch.randn(8, *SHAPE, generator=g, dtype=torch.float64)
    exact = exact_bits(x0, schedule, top)
    errors = []
    for steps in (50, 100, 200):
        difference = measured_bits(x0, schedule, top, steps) - exact
        errors.append(float(difference.square().mean().sqrt()))
    assert errors[-1] < 1e-3
    assert all(abs(math.log2(a / b) - 2) < 0.3 for a, b in itertools.pairwise(errors)), errors


def test_unlike_images_are_less_likely_by_what_the_closed_form_says() -> None:
    schedule = SCHEDULES["linear"]
    x0 = torch.stack([torch.zeros(SHAPE), torch.full(SHAPE, 0.9)]).double()
    found, exact = measured_bits(x0, schedule, 1000.0, 100), exact_bits(x0, schedule, 1000.0)
    assert torch.allclose(found, exact, atol=5e-3, rtol=1e-3) and found[1] > found[0] + 5


def test_hutchinson_on_a_dense_jacobian() -> None:
    """Unbiased, with the variance of random signs: 2 ‖S − diag S‖² of the symmetric part S."""
    g = torch.Generator().manual_seed(0)
    matrix = torch.randn(16, 16, generator=g, dtype=torch.float64)
    x = torch.zeros(1, *SHAPE, dtype=torch.float64)
    streams = [generator(0, "probes")]
    probes = [signs(streams, x) for _ in range(4000)]
    found, products = divergence(lambda y, t: (y.flatten(1) @ matrix.T).view_as(y), x, 1.0, probes)
    assert not found.requires_grad
    traces = torch.stack([product.sum() for product in products])
    symmetric = (matrix + matrix.T) / 2
    variance = 2 * (symmetric - symmetric.diag().diag()).square().sum()
    assert abs(traces.mean() - matrix.trace()) < 4 * (variance / 4000).sqrt()
    assert float(traces.var() / variance) == pytest.approx(1, abs=0.15)


def test_an_item_is_itself_in_any_batch_and_the_model_stays_frozen() -> None:
    model, levels = gaussian_model(), uniform_lambda(Schedule.linear(), 1000.0, 6)[1:]
    images = torch.randint(256, (3, 3, 8, 8), generator=generator(0, "bytes"), dtype=torch.uint8)
    module = Density(model, DPMpp2M(), levels, 2, seed=0)
    with torch.inference_mode():
        together = module.predict_step({"ids": ["a", "b", "c"], "data": images})
        calls = model.network_calls
        alone = module.predict_step({"ids": ["b"], "data": images[[1, 1, 1]]})  # filled up
    assert torch.equal(alone[0], together[1]) and together.shape == (3, TRACES + 2, 6)
    assert calls == 3 * (6 * 3 + 5)  # of an image: eps and two products at each level, and the solver's
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())


def test_bytes_are_spread_over_what_is_rounded_to_them() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(64, 1, 16, 16)
    x = dequantised(images, [generator(0, i) for i in range(64)])
    within = (x + 1) * 127.5 - images
    assert float(within.abs().max()) <= 0.5 + 1e-4
    assert float(within.std()) == pytest.approx(12**-0.5, rel=0.03)
    fields = torch.randn(2, 1, 4, 4)
    assert dequantised(fields, []) is fields
    rows = torch.zeros(1, TRACES + 1, 2)
    bits = [float(bits_per_value(rows, Schedule.linear(), [1.0, 600.0], each)) for each in (True, False)]
    assert bits[0] - bits[1] == pytest.approx(math.log2(255 / 2))  # one byte is so much of the half range


def test_a_network_without_gradients_is_refused() -> None:
    with pytest.raises(UserError, match="derivative"):
        divergence(lambda x, t: x.detach(), torch.zeros(1, *SHAPE), 1.0, [])


SMALL = [
    *TINY,
    *QUICK,
    *["stages=[likelihood]", "domain@training_domain=radiation_sim", "n_training=8"],
    *["stage.likelihood.steps=3", "stage.likelihood.n_images=6", "stage.likelihood.batch_size=4"],
]


def test_the_stage(tmp_path: Path) -> None:
    planned = run_cli(tmp_path, "-m", *SMALL, "dry_run=true")
    assert planned.returncode == 0, planned.stderr
    (file,) = tmp_path.rglob("dry_run.json")
    (cost,) = spent([Plan.from_json(json.loads(file.read_text()))])
    done = run_cli(tmp_path, *SMALL)
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    found: dict[str, Any] = r["likelihood"]
    assert found["levels"] == [1.0, 1000.0]
    assert set(found["auroc"]) == {"likelihood", "latent norm", "DiffPath", "latent classifier"}
    for area in found["auroc"].values():
        assert 0 <= area["low"] <= area["value"] <= area["high"] <= 1
    means = [found[domain]["mean"] for domain in ("unseen", "training")]
    for mean in means:
        assert mean["n"] == 6 and mean["low"] < mean["value"] < mean["high"]
    assert found["difference"]["value"] == pytest.approx(means[0]["value"] - means[1]["value"])
    assert "probe_error" not in found["unseen"]  # of one probe
    assert "bits per value" in done.stdout
    (plot,) = tmp_path.rglob("likelihood.svg")
    assert "<svg" in plot.read_text()
    # 18 images fill 5 batches of 4: 3 levels, each eps and a product, and 2 steps; 12 latents of 2 steps
    assert cost["likelihood"].most == r["cost"]["network_calls"]["likelihood"] == 20 * (3 * 2 + 2) + 12 * 2

    again = run_cli(tmp_path, *SMALL)
    assert again.returncode == 0, again.stderr
    second = results(tmp_path)[1]
    assert second["likelihood"] == found and second["cost"]["network_calls"]["likelihood"] == 0


@pytest.mark.parametrize("wrong", [{"n_images": 4}, {"steps": 1}, {"probes": 0}, {"batch_size": 0}])
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    right = {"n_images": 5, "steps": 2, "probes": 1, "batch_size": 1}
    assert Likelihood(**right).steps == 2
    with pytest.raises(UserError, match=rf"stage\.likelihood\.{next(iter(wrong))} must"):
        Likelihood(**{**right, **wrong})
