"""The functions one by one: own parts, and what they refuse before anything is computed."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from PIL import Image
from torch import Generator, Tensor

from ood_diffusion import (
    FrozenModel,
    Latents,
    UserError,
    draw,
    evaluate,
    generate,
    invert,
    load_domain,
    load_model,
)
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.grids import uniform_t
from ood_diffusion.priors.gaussian import Gaussian
from ood_diffusion.samplers.base import Sampler
from tests.faults import parts
from tests.faults.parts import Ending
from tests.lightning.networks import gaussian_model

MODEL = gaussian_model()
IMAGES = torch.randint(0, 256, (12, 3, 8, 8), generator=Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture(scope="module")
def bank() -> Latents:
    return invert(MODEL, IMAGES, steps=20)


def test_defaults_are_those_of_conf(bank: Latents) -> None:
    found = invert(MODEL, IMAGES[:1])
    assert (found.level, found.steps, found.solver.name) == (500, 16, "dpmpp_2m")
    assert len(draw(bank)) == 128


def test_the_round_trip_and_one_image(bank: Latents) -> None:
    assert bank.values.shape == IMAGES.shape and bank.values.dtype == torch.float32
    assert int((generate(MODEL, bank).int() - IMAGES.int()).abs().max()) <= 2
    for one in (bank[3], bank[np.int64(3)], bank[[3]], bank[torch.tensor([3])]):
        assert torch.equal(one.values, bank[3:4].values)
    assert repr(bank[:1]) == "Latents([1, 3, 8, 8], level=500, steps=20, solver=dpmpp_2m)"
    one = generate(MODEL, bank[:1])
    assert one.dtype == torch.uint8 and int((one[0].int() - IMAGES[0].int()).abs().max()) <= 2


def test_equal_images_stay_where_they_are() -> None:
    twice = IMAGES[[0, 1, 0]]
    bank = invert(MODEL, twice, steps=2)
    assert torch.equal(bank.values[0], bank.values[2]) and not torch.equal(bank.values[0], bank.values[1])
    images = generate(MODEL, bank)
    assert torch.equal(images[0], images[2]) and not torch.equal(images[0], images[1])


def test_own_parts_take_the_place_of_names(bank: Latents) -> None:
    class First(Sampler):
        def draw(self, generators: Sequence[Generator]) -> Tensor:
            return self.references[:1].repeat(len(generators), 1, 1, 1)

    assert torch.equal(draw(bank, 3, sampler=First()).values, bank.values[[0, 0, 0]])
    own = invert(MODEL, IMAGES, solver=DDIM(), grid=uniform_t, steps=3)
    named = invert(MODEL, IMAGES, solver="ddim", grid="uniform_t", steps=3)
    assert torch.equal(own.values, named.values) and not torch.equal(own.values, bank.values)
    assert torch.equal(generate(MODEL, own), generate(MODEL, named))
    by_name = draw(bank, 3, sampler="draw", prior="gaussian")
    assert torch.equal(draw(bank, 3, sampler="draw", prior=Gaussian("scalar")).values, by_name.values)


def test_settings_have_the_names_of_the_command(bank: Latents) -> None:
    kept = draw(bank, 4, selection="geometric", settings={"selection.tolerance": 20, "sampler.parents": 12})
    assert not torch.equal(kept.values, draw(bank, 4).values)
    scores = evaluate(IMAGES[:6], IMAGES[6:], metric=["prdc"], settings={"metric.prdc.nearest_k": 3})
    assert repr(scores) == str(scores) and "precision" in str(scores)  # a notebook shows the former
    assert set(scores) == {"precision", "recall", "density", "coverage"} and scores.n_held_out == 6
    assert "copies" in evaluate(IMAGES[:5], IMAGES[5:10], IMAGES[10:], metric=["kid"])  # no metric is theirs


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for i, image in enumerate(IMAGES):
        Image.fromarray(image.permute(1, 2, 0).numpy()).resize((30, 20)).save(tmp_path / f"{i}.png")
    references, held_out = load_domain("image_folder", MODEL, path=tmp_path, n_references=5)
    assert references.shape == (5, 3, 8, 8) and held_out.shape == (6, 3, 8, 8)
    assert references.dtype == held_out.dtype == torch.uint8


def test_a_program_of_hydras_may_call_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    seen: list[Any] = []

    @hydra.main(version_base=None, config_path=str(tmp_path), config_name="config")
    def program(cfg: Any) -> None:
        from ood_diffusion.api.composed import _composed

        _composed.cache_clear()
        running = GlobalHydra.instance().hydra
        seen.append(
            (cfg.mine, len(invert(MODEL, IMAGES[:1], steps=2)), GlobalHydra.instance().hydra is running)
        )

    quiet = ["hydra/job_logging=none", "hydra/hydra_logging=none"]  # loggers are this process's
    monkeypatch.setattr("sys.argv", ["program", f"hydra.run.dir={tmp_path}/out", *quiet])
    program()
    assert seen == [(1, 1, True)]


BANK = Latents(torch.zeros(4, 3, 8, 8), 500, 2, DDIM(), uniform_t, MODEL.recipe())
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "model": (lambda: load_model("cat_64"), "model must be one of: afhq_dog_256, .*cats_64.*got 'cat_64'"),
    "a setting": (lambda: load_model("cats_64", wieghts="x"), "setting of model must be one of: .*weights"),
    "weights": (lambda: load_model("cats_64", weights="nowhere"), "nowhere does not exist"),
    "precision": (lambda: load_model("cats_64", precision="fp8"), "precision must be one of: bf16"),
    "no FrozenModel": (lambda: invert(torch.nn.ReLU(), IMAGES), "FrozenModel, but got 'ReLU'.*load_torch_m"),  # type: ignore[arg-type]
    "domain": (lambda: load_domain("my_images", MODEL), "domain must be one of: .*image_folder"),
    "path": (lambda: load_domain("image_folder", MODEL), "domain.path must be set. The folder"),
    "floats": (lambda: invert(MODEL, IMAGES / 255), r"uint8, .*, but got torch.float32 from 0 to 1\. "),
    "an array": (lambda: invert(MODEL, IMAGES.numpy()), "torch tensor.*got ndarray.*from_numpy"),  # type: ignore[arg-type]
    "one image": (lambda: invert(MODEL, IMAGES[0]), r"\[n, 3, 8, 8\].*got \[3, 8, 8\].*x\[None\]"),
    "no image": (lambda: invert(MODEL, IMAGES[:0]), r"n >= 1, but got \[0, 3, 8, 8\]"),
    "size": (lambda: invert(MODEL, IMAGES[..., :4]), r"size of the model's images.*Resize them"),
    "level": (lambda: invert(MODEL, IMAGES, level=1001), "level must be above 1 and at most 1000"),
    "no level": (lambda: invert(MODEL, IMAGES, settings={"level": "auto"}), "level=auto"),
    "steps": (lambda: invert(MODEL, IMAGES, steps=0), "steps must be an integer of at least 1, but got 0"),
    "solver": (lambda: invert(MODEL, IMAGES, solver="euler"), "solver must be one of: ab2, ddim"),
    "a key": (lambda: invert(MODEL, IMAGES, settings={"a.b": 1}), "a setting must be one of: .*'a.b'"),
    "devices": (lambda: invert(MODEL, IMAGES, settings={"trainer.devices": 2}), "use one device"),
    "a tensor": (lambda: generate(MODEL, BANK.values), "Latents.*got 'Tensor'.*replace"),  # type: ignore[arg-type]
    "another model": (lambda: generate(gaussian_model(0.3), BANK), "the model that inverted them"),
    "its shape": (
        lambda: generate(MODEL, replace(BANK, values=torch.zeros(1, 3, 9, 9))),
        r"float32 \[n, 3, 8, 8\] with n >= 1, but got 'torch.float32 \[1, 3, 9, 9\]'",
    ),
    "not finite": (lambda: generate(MODEL, replace(BANK, values=BANK.values / 0)), "must be finite"),
    "eta": (lambda: generate(MODEL, BANK, eta=1.5), "eta must lie between 0"),
    "too few": (lambda: draw(BANK, prior="shrunk"), "prior=shrunk needs at least 8 references, but got 4"),
    "n": (lambda: draw(BANK, 0), "n_samples must be an integer of at least 1"),
    "selection": (
        lambda: draw(replace(BANK, values=torch.randn(12, 3, 8, 8)), 4, selection="geometric", sampler="draw",
                     prior="standard_normal", settings={"selection.tolerance": 1e-9}),
        "expected 4 latents, but only 0 of 800 proposals",
    ),
    "few images": (lambda: evaluate(IMAGES[:5], IMAGES), "metric=prdc needs at least 6 images, but got 5"),
    "overlap": (lambda: evaluate(IMAGES, IMAGES[:6], IMAGES[5:]), "must not share a picture.*1 shared"),
    "a group": (lambda: draw(BANK, settings={"sampler": "draw"}), "as sampler="),
    "extractor": (lambda: evaluate(IMAGES, IMAGES, extractor=torch.nn.Flatten()), "got 'Flatten'.*Derive"),  # type: ignore[arg-type]
    "no metric": (lambda: evaluate(IMAGES, IMAGES, metric=[]), "metric must name at least one metric"),
    "metric": (lambda: evaluate(IMAGES, IMAGES, metric=["is"]), "metric must be one of: fid, "),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_before_anything_is_computed(mistake: str) -> None:
    call, says = MISTAKES[mistake]
    calls = MODEL.network_calls
    with pytest.raises(UserError, match=says):
        call()
    assert MODEL.network_calls == calls


def test_changed_weights_void_a_call() -> None:
    class Restless(FrozenModel):
        def eps(self, x: Tensor, t: float, exact: bool = False) -> Tensor:
            self.network.deviation += 0.1
            return super().eps(x, t, exact)

    network = gaussian_model().network
    model = Restless(network, MODEL.schedule, MODEL.image_shape, "epsilon", {})
    with pytest.raises(UserError, match="frozen weights changed"):
        invert(model, IMAGES, steps=2)


@pytest.mark.parametrize(
    ("number", "arrives", "status"),
    [(signal.SIGINT, KeyboardInterrupt, ()), (signal.SIGTERM, SystemExit, (128 + signal.SIGTERM,))],
)
@pytest.mark.parametrize("call", [lambda model, _: invert(model, IMAGES), generate])
def test_signals_end_a_call_as_they_end_a_script(
    call: Callable[[FrozenModel, Latents], object],
    number: signal.Signals,
    arrives: type[BaseException],
    status: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = FrozenModel(Ending(""), MODEL.schedule, MODEL.image_shape, "epsilon", {})
    bank = invert(model, IMAGES[:1], steps=2)
    monkeypatch.setattr(parts, "end", lambda _: os.kill(os.getpid(), number))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(arrives) as stopped:
        call(model, bank)
    assert stopped.value.args == status
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
