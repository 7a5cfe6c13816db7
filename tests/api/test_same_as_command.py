"""What Python computes is what the command computes, to the last bit, and it leaves nothing behind."""

import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion import Latents, draw, evaluate, generate, invert, load_domain, load_model, psnr
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.models.base import FrozenModel
from tests.cli import TINY, results, run_cli
from tests.scale.test_ranks import items

SETTINGS = ["domain=radiation_sim", "level=300", "eta=0.5", "seed=3", "sampler=draw", "prior=shrunk"]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    done = run_cli(folder, *TINY, *SETTINGS, "stages=[invert,reconstruct,sample,evaluate]")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def model() -> FrozenModel:
    return load_model("cats_64")


def run_python(
    model: FrozenModel, store: Path | None = None
) -> tuple[Tensor, Tensor, Latents, Latents, Tensor]:
    """The run of `SETTINGS` in the fewest lines."""
    references, held_out = load_domain("radiation_sim", model, n_references=12, n_held_out=16, store=store)
    bank = invert(model, references, level=300, steps=2, batch_size=4, store=store)
    latents = draw(bank, 8, prior="shrunk", sampler="draw", seed=3)
    images = generate(model, latents, eta=0.5, seed=3, batch_size=4, store=store)
    return references, held_out, bank, latents, images


def test_every_figure_and_every_bit(
    command: Path, model: FrozenModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, calls = model.digest(), model.network_calls
    references, held_out, bank, latents, images = run_python(model)
    assert model.network_calls - calls == 2 * (12 + 8)
    store = command / "outputs" / "store"
    inverted, decoded = items(store, "latents"), items(store, "images")
    assert all(
        torch.equal(z, inverted[tensor_digest(x)]) for x, z in zip(references, bank.values, strict=True)
    )
    assert all(
        torch.equal(x, decoded[f"{tensor_digest(z)}-seed3"])
        for z, x in zip(latents.values, images, strict=True)
    )

    scores = evaluate(images, held_out, references)
    (said,) = results(command)
    assert said["metrics"]["sets"]["samples"] == {
        "n": len(images),
        **{name: scores[name] for name in scores if name not in ("novelty", "copies")},
    }
    for name, ends in scores.intervals.items():
        interval = said["metrics"]["intervals"]["samples"][name]
        assert ends == (interval["low"], interval["high"])
    novelty = said["metrics"]["novelty"]
    assert (scores["novelty"], scores["copies"]) == (novelty["ratio"], novelty["copies"])
    assert scores.extractor == said["metrics"]["extractor"] and scores.extractor in str(scores)
    rebuilt = generate(model, bank, eta=0, batch_size=4)
    assert float(psnr(rebuilt, references).mean()) == said["reconstruct"]["psnr_mean"]
    assert model.digest() == before and not list(tmp_path.glob("ood-diffusion-*"))


def test_a_store_is_shared_with_the_command(command: Path, model: FrozenModel) -> None:
    store = command / "outputs" / "store"
    shards, calls = sorted(store.rglob("*.safetensors")), model.network_calls
    references, held_out, _, _, images = run_python(model, store)
    evaluate(images, held_out, references, store=store)
    assert model.network_calls == calls and sorted(store.rglob("*.safetensors")) == shards


def test_results_depend_neither_on_how_many_nor_on_batches(model: FrozenModel) -> None:
    references, _ = load_domain("galaxies_sim", model, n_references=4, n_held_out=2)
    bank, other = (invert(model, references[:n], steps=2, batch_size=n) for n in (4, 3))
    torch.testing.assert_close(bank.values[:3], other.values, atol=1e-4, rtol=1e-4)
    few, more = draw(bank, 3), draw(bank, 5)
    assert torch.equal(few.values, more[:3].values)
    images, others = (generate(model, z, eta=1, batch_size=2 * len(z) // 3) for z in (few, more))
    assert int((images.int() - others[:3].int()).abs().max()) <= 1
