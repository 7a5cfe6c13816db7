"""Latents to images: the way back, and noise that belongs to an item."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion.pixels import to_bytes
from ood_diffusion.runs.run import Run
from ood_diffusion.seeding import generator, normal
from ood_diffusion.stages import decode as module
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.stages.invert import invert
from ood_diffusion.storage.store import TensorStore
from tests.cli import QUICK
from tests.lightning.networks import exact_scale
from tests.runs.test_run import made


def latents(numbers: list[int]) -> Tensor:
    """Of the spread that the Gaussian network's have at level 500; number n is always the same."""
    return normal([generator(0, "latent", n) for n in numbers], (3, 64, 64)) * 0.9


def drawn(run: Run, n: int = 7) -> tuple[TensorStore, list[str]]:
    return stored_latents(run, "some", n, latents)


def images(run: Run, ids: list[str]) -> Tensor:
    """Decoded in the order of `ids`."""
    store, targets = decode(run, drawn(run)[0], ids, "decode")
    return store.read(targets)


def test_an_image_comes_back_to_the_solvers_order(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, "solver=ddim", "n_references=4", "stages=[invert]", "steps=16")
    originals = run.pictures.read(list(run.references.values())).float()
    errors = []
    for steps in (16, 32, 64):
        at = run.at(steps=steps)
        invert(at)
        store, ids = decode(at, at.bank, list(at.references), "decode")
        errors.append(float((store.read(ids).float() - originals).square().mean().sqrt()))
    assert [errors[0] / errors[1], errors[1] / errors[2]] == pytest.approx([2, 2], rel=0.05)


def test_latents_of_any_origin_follow_the_exact_map(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, "steps=128")
    exact = to_bytes(latents(list(range(7))) / exact_scale(run.model, 500))
    assert int((images(run, drawn(run)[1]).int() - exact.int()).abs().max()) <= 2


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_noise_depends_on_seed_and_latent_alone(tmp_path: Path, eta: float) -> None:
    """Not on the batch, the order, or what else is decoded."""
    alone, other, more = (made(tmp_path / name, *QUICK, f"eta={eta}", "seed=3") for name in "abc")
    ids = drawn(alone)[1]
    found = images(alone.at(batch_size=7), ids)
    drawn(other)
    shuffled = [ids[i] for i in (4, 0, 6, 1, 5)]
    assert torch.equal(images(other.at(batch_size=2), shuffled), found[[4, 0, 6, 1, 5]])
    drawn(more)
    assert torch.equal(images(more.at(batch_size=3), ids[2:4]), found[2:4])
    assert not torch.equal(images(alone.at(seed=4), ids), found)
    assert torch.equal(images(alone, ids), found)


def test_without_noise_the_seed_costs_nothing_and_each_eta_has_its_images(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK)
    found = images(run, drawn(run)[1])
    calls = run.model.network_calls
    assert torch.equal(images(run.at(seed=9), drawn(run)[1]), found) and run.model.network_calls == calls
    assert not torch.equal(images(run.at(eta=0.5), drawn(run)[1]), found)
    assert run.model.network_calls == 2 * calls


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_equal_latents_are_decoded_once(tmp_path: Path, eta: float) -> None:
    run = made(tmp_path, *QUICK, f"eta={eta}")
    store, ids = stored_latents(run, "repeats", 8, lambda numbers: latents([n % 3 for n in numbers]))
    decoded, targets = decode(run, store, ids, "decode")
    assert targets == [targets[i % 3] for i in range(8)] and len(set(targets)) == 3
    assert run.model.network_calls == 3 * 2 and run.workspace.items == {"made": 3, "found": 0}
    assert decode(run, store, ids, "decode")[1] == targets
    assert run.model.network_calls == 3 * 2 and run.workspace.items["found"] == 3
    assert len(decoded.read(targets)) == 8


def test_only_what_is_not_stored_is_made_and_so_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    run, asked = made(tmp_path, *QUICK), list[list[int]]()

    def make(numbers: list[int]) -> Tensor:
        asked.append(numbers)
        return latents(numbers)

    for n in (6, 6, 9):
        store, ids = stored_latents(run, "some", n, make)
    assert asked == [[0, 1, 2, 3], [4, 5], [6, 7, 8]]
    assert torch.equal(store.read(ids), latents(list(range(9))))
    elsewhere = [
        stored_latents(at, recipe, 1, make)[0] for at, recipe in ((run.at(level=300), "some"), (run, "other"))
    ]
    assert (
        len({store.folder, *(each.folder for each in elsewhere)}) == 3
    )  # a level and a recipe have their own
