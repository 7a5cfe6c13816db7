"""Inverter and Generator as `Trainer.predict` loops over stores."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.fixed_point import FixedPoint
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.lightning.loop import Account, Loop
from ood_diffusion.lightning.predict import Done, predict_into
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.lightning.trajectory import Generator, Inverter
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import to_bytes, to_unit_range
from ood_diffusion.runs.assemble import build
from ood_diffusion.storage.store import TensorStore
from tests.composed import composed
from tests.lightning.networks import GaussianNetwork, exact_scale, gaussian_model

LEVEL, STEPS = 600.0, 100
make_trainer = partial(
    pl.Trainer, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
)


def images(n: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def fill(root: Path, n: int) -> tuple[TensorStore, dict[str, str]]:
    source = TensorStore(root, "pictures", {}, torch.uint8)
    names = [f"p{i}" for i in range(n)]
    if source.missing(names):
        source.write(names, images(n))
    return source, {f"z{i}": name for i, name in enumerate(names)}


def bank(root: Path, name: str = "latents") -> TensorStore:
    return TensorStore(root, name, {}, torch.float32)


def inverter(model: FrozenModel) -> Inverter:
    return Inverter(model, DDIM(), uniform_lambda(model.schedule, LEVEL, STEPS))


def invert(root: Path, n: int, batch_size: int, name: str = "latents", module: Any = None) -> TensorStore:
    source, ids = fill(root, n)
    module = module or inverter(gaussian_model())
    predict_into(bank(root, name), source, ids, module, Ranks(make_trainer), batch_size, "invert")
    return bank(root, name)


def test_pixels_round_trip_every_byte() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(to_unit_range(every)), every)
    assert float(to_unit_range(every).min()) == -1 and float(to_unit_range(every).max()) == 1
    assert to_bytes(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_latents_are_those_of_the_exact_map(tmp_path: Path) -> None:
    latents = invert(tmp_path, 5, 2).read([f"z{i}" for i in range(5)])
    exact = exact_scale(gaussian_model(), LEVEL) * to_unit_range(images(5))
    assert float((latents - exact).abs().max()) < 0.02 * float(exact.abs().max())


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_results_do_not_depend_on_the_batch_size(tmp_path: Path, batch_size: int) -> None:
    ids = [f"z{i}" for i in range(5)]
    one = invert(tmp_path, 5, 5).read(ids)
    assert torch.allclose(invert(tmp_path, 5, batch_size, "other").read(ids), one, atol=1e-6)


def test_every_batch_has_the_same_shape_and_the_tail_is_dropped(tmp_path: Path) -> None:
    shapes = []

    class Spy(Inverter):
        def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> torch.Tensor:
            shapes.append((len(batch["ids"]), len(batch["data"])))
            return super().predict_step(batch, batch_idx)

    model = gaussian_model()
    store = invert(tmp_path, 5, 3, module=Spy(model, DDIM(), [0.0, 1.0, 600.0]))
    assert shapes == [(3, 3), (2, 3)]
    assert store.missing([f"z{i}" for i in range(6)]) == ["z5"]
    assert model.network_calls == 6 * 2


def test_finished_work_is_not_done_again(tmp_path: Path) -> None:
    invert(tmp_path, 4, 4)
    model = gaussian_model()
    invert(tmp_path, 4, 4, module=inverter(model))
    assert model.network_calls == 0
    invert(tmp_path / "x", 2, 4)
    more = gaussian_model()
    source, ids = fill(tmp_path / "x" / "y", 6)
    half = bank(tmp_path / "x" / "y")
    half.write(["z1", "z4"], torch.zeros(2, 3, 8, 8))
    assert predict_into(half, source, ids, inverter(more), Ranks(make_trainer), 4, "invert").items == 4
    assert more.network_calls == 4 * STEPS
    assert float(half.read(["z4"]).abs().max()) == 0  # what was there stayed


def generate(root: Path, eta: float, seed: int, batch_size: int, name: str) -> torch.Tensor:
    latents = bank(root, "given")
    ids = [f"z{i}" for i in range(5)]
    if latents.missing(ids):
        g = torch.Generator().manual_seed(0)
        latents.write(ids, torch.randn(5, 3, 8, 8, generator=g))
    model = gaussian_model()
    module = Generator(model, DDIM(), uniform_lambda(model.schedule, LEVEL, STEPS), eta, seed)
    store = TensorStore(root, name, {}, torch.uint8)
    predict_into(store, latents, {i: i for i in ids}, module, Ranks(make_trainer), batch_size, "sample")
    return store.read(ids)


def test_round_trip_returns_the_images(tmp_path: Path) -> None:
    store = invert(tmp_path, 3, 3)
    model = gaussian_model()
    module = Generator(model, DDIM(), uniform_lambda(model.schedule, LEVEL, STEPS), 0.0, 0)
    target = TensorStore(tmp_path, "back", {}, torch.uint8)
    predict_into(
        target, store, {f"z{i}": f"z{i}" for i in range(3)}, module, Ranks(make_trainer), 3, "reconstruct"
    )
    back = target.read([f"z{i}" for i in range(3)]).int()
    assert int((back - images(3).int()).abs().max()) <= 5  # of 255: first order, 100 steps each way


class Diverging(FrozenModel):
    """Has no answer for bright states near the clean image; its autoencoder hides that, if it has one."""

    def __init__(self, hides: bool, bad: float) -> None:
        super().__init__(GaussianNetwork(), Schedule.linear(), (3, 8, 8), "epsilon", {})
        self.hides, self.bad = hides, bad

    def eps(self, x: torch.Tensor, t: float, exact: bool = False) -> torch.Tensor:
        bright = x.mean(dim=(1, 2, 3), keepdim=True) > 0.5
        return torch.where(bright & (t < 100), self.bad, super().eps(x, t))

    def decode(self, states: torch.Tensor) -> torch.Tensor:
        return states.nan_to_num(posinf=0.0, neginf=0.0) if self.hides else states


@pytest.mark.parametrize(
    ("hides", "bad"), [(False, math.nan), (True, math.nan), (False, math.inf), (True, -math.inf)]
)
def test_no_pixels_come_from_what_is_no_number(tmp_path: Path, hides: bool, bad: float) -> None:
    latents, model = bank(tmp_path, "given"), Diverging(hides, bad)
    latents.write(
        ids := [f"z{i}" for i in range(6)], torch.zeros(6, 3, 8, 8).index_fill_(0, torch.tensor(3), 3.0)
    )
    module = Generator(model, DDIM(), uniform_lambda(model.schedule, LEVEL, STEPS), 0.0, 0)
    target = TensorStore(tmp_path, "images", {}, torch.uint8)
    with pytest.raises(
        UserError, match=r"images must come from finite numbers, but got 'NaN or infinity for z3 \(1"
    ):
        predict_into(target, latents, {i: i for i in ids}, module, Ranks(make_trainer), 2, "sample")
    assert target.missing(ids)[:2] == ["z2", "z3"]  # the batch before stays
    with pytest.raises(UserError, match="finite numbers"), torch.inference_mode():
        module.images({"ids": ids, "data": latents.read(ids)})


def test_a_loop_leaves_nothing_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    invert(tmp_path, 4, 2, module=Inverter(gaussian_model(), DDIM(), [0.0, LEVEL / 2, LEVEL]))
    assert not any(Path.cwd().iterdir())


def test_debug_nan_names_stage_step_levels_and_item(tmp_path: Path) -> None:
    latents, model = bank(tmp_path, "given"), Diverging(hides=True, bad=math.nan)
    latents.write(
        ids := [f"z{i}" for i in range(6)], torch.zeros(6, 3, 8, 8).index_fill_(0, torch.tensor(3), 3.0)
    )
    levels = uniform_lambda(model.schedule, LEVEL, STEPS)
    below = [step for step, level in enumerate(levels[::-1][:-1], 1) if level < 100]
    module, target = (
        Generator(model, DDIM(), levels, 0.0, 0),
        TensorStore(tmp_path, "images", {}, torch.uint8),
    )
    debugging = partial(build, composed("debug='nan'", "trainer.accelerator=cpu").trainer)
    told = f"sample: the states after step {below[0]} of {STEPS}, from level .*, must .* infinity for z3"
    with pytest.raises(UserError, match=told):
        predict_into(target, latents, {i: i for i in ids}, module, Ranks(debugging), 2, "sample")
    assert target.missing(ids)[:2] == ["z2", "z3"]


def test_noise_belongs_to_the_item_not_to_the_batch(tmp_path: Path) -> None:
    one = generate(tmp_path, 1.0, 0, 5, "a").int()
    two = generate(tmp_path, 1.0, 0, 2, "b").int()
    assert int((one - two).abs().max()) <= 1
    other_seed = generate(tmp_path, 1.0, 1, 5, "c").int()
    assert float((one - other_seed).double().abs().mean()) > 5
    deterministic = [generate(tmp_path, 0.0, seed, 5, f"d{seed}") for seed in (0, 1)]
    assert torch.equal(*deterministic)


def test_eta_one_forgets_the_latent_and_keeps_the_distribution(tmp_path: Path) -> None:
    x = to_unit_range(generate(tmp_path, 1.0, 0, 5, "a"))
    assert float(x.std()) == pytest.approx(0.4, rel=0.06)
    assert (
        float(
            torch.corrcoef(torch.stack([x, to_unit_range(generate(tmp_path, 0.0, 0, 5, "b"))]).flatten(1))[
                0, 1
            ]
        )
        < 0.9
    )


def not_converging(model: FrozenModel) -> Inverter:
    return Inverter(model, FixedPoint(1e-9, max_iterations=2), [0.0, 1.0, 300.0, 600.0])


def test_what_a_solver_found_out_comes_back_from_the_loop_alone(tmp_path: Path) -> None:
    """Five images, whatever fills the batches of four; what is in the store already tells nothing."""
    source, ids = fill(tmp_path, 5)
    module = not_converging(gaussian_model())
    for name in ("one", "two"):  # with one module and one solver
        done = predict_into(bank(tmp_path, name), source, ids, module, Ranks(make_trainer), 4, "invert")
        found = done.convergence
        assert done.items == 5 and (found.steps, found.iterations) == (15, 30)
        assert 0 < found.not_converged <= 15 and found.largest_change > 1e-9
    again = predict_into(bank(tmp_path, "two"), source, ids, module, Ranks(make_trainer), 4, "invert")
    assert again == Done()


def test_accounts_of_ranks_add_up_to_that_of_one(tmp_path: Path) -> None:
    source, ids = fill(tmp_path, 5)

    def account(rank: int, size: int) -> Account:
        target = bank(tmp_path, f"{rank} of {size}")
        return Loop(target, source, ids, not_converging(gaussian_model()), 2, "").run(
            make_trainer, rank, size
        )

    assert account(0, 2) + account(1, 2) == account(0, 1)
    assert account(0, 1).calls == 6 * (1 + 3 * 2)


def test_divergence_is_reported_by_item(tmp_path: Path) -> None:
    from ood_diffusion.checks import UserError

    model = gaussian_model()
    model.network.deviation.data.fill_(float("nan"))
    with pytest.raises(UserError, match="NaN or infinity for z0"):
        invert(tmp_path, 2, 2, module=inverter(model))


def test_an_inversion_is_exact_near_the_clean_image_and_a_generation_need_not_be(tmp_path: Path) -> None:
    """With reduced precision; levels 0, 1 and 10 lie below EXACT_BELOW."""
    model = gaussian_model().compute_in("bf16", False)
    asked: list[tuple[float, bool]] = []
    eps = model.eps

    def noted(x: torch.Tensor, t: float, exact: bool = False) -> torch.Tensor:
        asked.append((t, exact))
        return eps(x, t, exact)

    model.eps = noted  # type: ignore[method-assign]
    levels = [0.0, 1.0, 10.0, 300.0, 600.0]
    invert(tmp_path, 2, 2, module=Inverter(model, DDIM(), levels))
    assert asked == [(0.0, True), (1.0, True), (10.0, True), (300.0, False)]
    asked.clear()
    target = TensorStore(tmp_path, "back", {}, torch.uint8)
    ids = {f"z{i}": f"z{i}" for i in range(2)}
    module = Generator(model, DDIM(), levels, 0.0, 0)
    predict_into(target, bank(tmp_path), ids, module, Ranks(make_trainer), 2, "reconstruct")
    assert asked == [(600.0, False), (300.0, False), (10.0, False), (1.0, False)]
