"""Laws that every domain obeys."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.base import SPLITS, Domain
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.radiation_sim import RadiationSim
from ood_diffusion.domains.splits import check_disjoint, halves, seeded_order
from ood_diffusion.fingerprint import tensor_digest

KINDS = ["galaxies_sim", "radiation_sim", "image_folder"]
SIMULATIONS = {"galaxies_sim": GalaxiesSim, "radiation_sim": RadiationSim}


def make(kind: str, folder: Path, image_size: int = 32, seed: int = 0) -> Domain:
    if kind in SIMULATIONS:
        return SIMULATIONS[kind](image_size, seed)
    if not any(folder.iterdir()):
        for i in range(12):
            noise = np.random.default_rng(i).integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{i}.png")
    return ImageFolder(image_size, folder, seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image_size", [32, 64, 96])
def test_pictures_are_uint8_rgb_squares(kind: str, image_size: int, tmp_path: Path) -> None:
    picture = make(kind, tmp_path, image_size).render("references", 0)
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, image_size, image_size)
    assert picture.is_contiguous()
    assert picture.float().std() > 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_does_not_depend_on_order_or_pickling(kind: str, tmp_path: Path) -> None:
    first = make(kind, tmp_path)
    forward = [first.render("held_out", i) for i in range(5)]
    second = pickle.loads(pickle.dumps(make(kind, tmp_path)))
    backward = [second.render("held_out", i) for i in reversed(range(5))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))
    assert [first.key("held_out", i) for i in range(5)] == [second.key("held_out", i) for i in range(5)]


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_keys_all_differ(kind: str, tmp_path: Path) -> None:
    domain = make(kind, tmp_path)
    items = [(split, i) for split in SPLITS for i in range(6)]
    digests = {split: [tensor_digest(domain.render(split, i)) for i in range(6)] for split in SPLITS}
    check_disjoint(digests["references"], digests["held_out"])
    assert len({digest for split in SPLITS for digest in digests[split]}) == len(items)
    keys = {domain.key(split, i) for split, i in items}
    assert len(keys) == len(items)
    assert all(len(key) >= 16 and int(key, 16) >= 0 for key in keys)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_changes_with_the_size(kind: str, tmp_path: Path) -> None:
    small, large = make(kind, tmp_path, 32), make(kind, tmp_path, 33)
    assert small.key("references", 0) != large.key("references", 0)


@pytest.mark.parametrize("kind", SIMULATIONS)
def test_seeds_give_other_pictures_and_keys(kind: str, tmp_path: Path) -> None:
    a, b = make(kind, tmp_path, seed=0), make(kind, tmp_path, seed=1)
    assert a.key("references", 0) != b.key("references", 0)
    assert not torch.equal(a.render("references", 0), b.render("references", 0))


def test_another_process_with_other_threads_draws_the_same_bytes() -> None:
    program = """
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.radiation_sim import RadiationSim
from ood_diffusion.fingerprint import tensor_digest
for domain in (GalaxiesSim(64, 3), RadiationSim(64, 3)):
    for i in (4, 1):
        print(domain.key("references", i), tensor_digest(domain.render("references", i)))
"""
    here = [
        f"{domain.key('references', i)} {tensor_digest(domain.render('references', i))}"
        for domain in (GalaxiesSim(64, 3), RadiationSim(64, 3))
        for i in (4, 1)
    ]
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)}
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert there.stdout.split("\n")[:-1] == here, there.stderr


@pytest.mark.parametrize("image_size", [0, -1, 64.0, True, "64"])
def test_image_size_must_be_a_positive_integer(image_size: object) -> None:
    with pytest.raises(UserError, match="image_size must be an integer of at least 1, but got"):
        GalaxiesSim(image_size)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_items_that_do_not_exist_are_refused(kind: str, tmp_path: Path) -> None:
    domain = make(kind, tmp_path)
    with pytest.raises(UserError, match="split must be one of: held_out, references"):
        domain.render("train", 0)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="must be numbered from 0"):
        domain.key("references", -1)


def test_a_finite_domain_says_how_many_there_are(tmp_path: Path) -> None:
    domain = make("image_folder", tmp_path)
    assert domain.size("references") == domain.size("held_out") == 6
    with pytest.raises(UserError, match=r"numbered from 0 to 5 \(there are 6\), but got 6"):
        domain.render("held_out", 6)


def test_shared_pictures_are_counted() -> None:
    check_disjoint(["a", "b"], ["c"])
    with pytest.raises(UserError, match="2 shared pictures"):
        check_disjoint(["a", "b", "c"], iter(["b", "c", "c"]))
    with pytest.raises(UserError, match="1 shared picture'"):
        check_disjoint(["a"], ["a"])


def test_seeded_order_depends_on_the_set_and_the_seed_only() -> None:
    digests = [f"{i:x}" for i in range(50)]
    assert seeded_order(digests, 0) == seeded_order(reversed(digests), 0)
    assert seeded_order(digests, 0) != seeded_order(digests, 1)
    assert set(seeded_order(digests, 1)) == set(digests)


def test_halves_cover_and_the_first_is_the_larger() -> None:
    assert halves("abcde") == (["a", "b", "c"], ["d", "e"])
