"""Which pictures are kept, in which order, and what the settings do, whatever the source."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.collection import Collection, kept
from ood_diffusion.domains.image_folder import FolderSource, ImageFolder
from ood_diffusion.domains.image_zip import ImageZip
from ood_diffusion.domains.lmdb_images import LmdbImages
from tests.domains.trees import all_names, database, keys, names, write, zipped

SIZES = (("train", 6), ("val", 2))


@pytest.fixture
def heap(tmp_path: Path) -> Path:
    for i in range(1, 13):
        write(tmp_path / "heap" / f"img{i}.png", i)
    return tmp_path / "heap"


@pytest.fixture
def afhq(tmp_path: Path) -> Path:
    files = [(split, kind, i) for kind in ("cat", "dog") for split, n in SIZES for i in range(n)]
    for seed, (split, kind, i) in enumerate(files):
        write(tmp_path / "afhq" / split / kind / f"{i}.png", seed)
    return tmp_path / "afhq"


def test_without_a_seed_names_are_counted_and_the_first_half_is_references(heap: Path) -> None:
    domain = ImageFolder(16, heap, seed=None)
    assert names(domain) == {
        "references": [f"img{i}.png" for i in range(1, 7)],
        "held_out": [f"img{i}.png" for i in range(7, 13)],
    }


def test_without_a_seed_given_splits_keep_their_natural_order(afhq: Path) -> None:
    assert names(ImageFolder(16, afhq, seed=None, classes=["dog"])) == {
        "references": [f"train/dog/{i}.png" for i in range(6)],
        "held_out": [f"val/dog/{i}.png" for i in range(2)],
    }


def test_of_copies_the_first_in_natural_order_counts(heap: Path) -> None:
    shutil.copy(heap / "img10.png", heap / "img9b.png")
    kept = names(ImageFolder(16, heap, seed=None))
    assert "img9b.png" in kept["held_out"] and "img10.png" not in kept["held_out"]


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_limit_keeps_that_many_and_a_larger_one_keeps_them_too(seed: int | None, heap: Path) -> None:
    few, more, all_ = (all_names(ImageFolder(16, heap, seed, n)) for n in (4, 7, None))
    assert len(few) == 4 and len(more) == 7 and few < more < all_
    if seed is None:
        assert few == {f"img{i}.png" for i in range(1, 5)}


def test_which_are_kept_depends_on_the_seed(heap: Path) -> None:
    assert len({frozenset(all_names(ImageFolder(16, heap, seed, 4))) for seed in range(4)}) > 1


def test_a_limit_reads_nothing_else(heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    before = FolderSource.read
    monkeypatch.setattr(FolderSource, "read", lambda self, name: read.append(name) or before(self, name))
    ImageFolder(16, heap, limit=5)
    assert len(read) == 5


def test_a_limit_leaves_given_splits_their_proportions(afhq: Path) -> None:
    domain = ImageFolder(16, afhq, limit=8)
    assert (domain.size("references"), domain.size("held_out")) == (6, 2)
    assert [len(part) for part in names(ImageFolder(16, afhq, seed=None, limit=2)).values()] == [1, 1]


@pytest.mark.parametrize(
    ("sizes", "limit"), [((1000, 1), 2), ((1000, 1), 5), ((3, 3), 5), ((28_000, 2_000), 5000)]
)
def test_shares_of_a_limit_never_exceed_it_and_are_never_empty(sizes: tuple[int, ...], limit: int) -> None:
    shares = [len(kept([str(i) for i in range(n)], sum(sizes), 0, limit)) for n in sizes]
    assert limit - 1 <= sum(shares) <= limit and min(shares) >= 1


@pytest.mark.parametrize("limit", [1, 0, -3, 2.5, True, "all"])
def test_a_limit_out_of_range_is_refused(limit: object, heap: Path) -> None:
    with pytest.raises(UserError, match=r"domain\.limit must be null or an integer of at least 2, but got"):
        ImageFolder(16, heap, limit=limit)  # type: ignore[arg-type]


def test_a_seed_out_of_range_is_refused(heap: Path) -> None:
    with pytest.raises(UserError, match="seed must be an integer of at least 0, but got -1"):
        ImageFolder(16, heap, seed=-1)


def test_classes_are_folders_at_any_depth(afhq: Path, tmp_path: Path) -> None:
    domain = ImageFolder(16, afhq, classes=["dog"])
    assert (domain.size("references"), domain.size("held_out")) == (6, 2)
    assert all("/dog/" in name for part in names(domain).values() for name in part)
    both = ImageFolder(16, afhq, classes=["dog", "cat"])
    assert keys(both) == keys(ImageFolder(16, afhq))
    assert keys(ImageZip(16, zipped(afhq, tmp_path / "a.zip", "afhq/"), classes=["dog"])) == keys(domain)


def test_other_classes_may_lie_beside_the_split_folders(afhq: Path) -> None:
    before = keys(ImageFolder(16, afhq, classes=["dog"]))
    write(afhq / "teasers" / "1.png", 99)
    assert keys(ImageFolder(16, afhq, classes=["dog"])) == before
    with pytest.raises(UserError, match="nowhere else"):
        ImageFolder(16, afhq)


def test_a_split_folder_that_is_selected_alone_is_halved(afhq: Path) -> None:
    whole = names(ImageFolder(16, afhq))
    domain = ImageFolder(16, afhq, classes=["train"])
    assert all_names(domain) == set(whole["references"]) and domain.halved
    assert names(ImageFolder(16, afhq, classes=["train", "val"])) == whole


def test_an_unknown_class_lists_those_that_are_there(afhq: Path) -> None:
    with pytest.raises(
        UserError, match=r"but got \['wolf'\]\. The folders in .* are: cat, dog, train, val\.$"
    ):
        ImageFolder(16, afhq, classes=["dog", "wolf"])


@pytest.mark.parametrize("classes", ["dog", [], [1]])
def test_classes_must_be_a_list_of_names(classes: object, afhq: Path) -> None:
    with pytest.raises(UserError, match=r"must be a list of folder names, or null, but got .*\[dog\]"):
        ImageFolder(16, afhq, classes=classes)  # type: ignore[arg-type]


def test_crop_keeps_the_middle(tmp_path: Path) -> None:
    for i in range(2):
        pixels = np.full((40, 60, 3), i, dtype=np.uint8)
        pixels[10:30, 20:40] = 200
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    whole, middle = ImageFolder(20, tmp_path), ImageFolder(20, tmp_path, crop=0.5)
    assert (middle.render("references", 0) == 200).all()  # 20 pixels of 40: bit for bit
    assert whole.render("references", 0).float().mean() < 100
    assert whole.key("references", 0) != middle.key("references", 0)


def test_crop_is_a_crop_and_a_bicubic_resize(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.png", i) for i in range(2)]
    domain = ImageFolder(9, tmp_path, seed=None, crop=0.7)
    expected = Image.open(files[0]).resize((9, 9), Image.Resampling.BICUBIC, box=(5, 3, 19, 17))
    assert torch.equal(domain.render("references", 0).permute(1, 2, 0), torch.from_numpy(np.array(expected)))


@pytest.mark.parametrize("crop", [0, -0.5, 1.01, "half", True])
def test_a_crop_out_of_range_is_refused(crop: object, heap: Path) -> None:
    with pytest.raises(UserError, match=r"domain\.crop must be a number above 0, at most 1, but got"):
        ImageFolder(16, heap, crop=crop)  # type: ignore[arg-type]


def test_a_crop_that_leaves_too_little_is_refused(heap: Path) -> None:
    with pytest.raises(UserError, match=r"at least 8 pixels wide, .*24 x 20 .*raise domain\.crop \(0\.3\)"):
        ImageFolder(16, heap, crop=0.3)


def test_a_picture_has_one_key_wherever_it_lies(heap: Path, tmp_path: Path) -> None:
    domains: list[Collection[bytes]] = [
        ImageFolder(16, heap),
        ImageZip(16, zipped(heap, tmp_path / "a.zip")),
        LmdbImages(16, database(heap, tmp_path / "a_lmdb")),
    ]
    assert keys(domains[0]) == keys(domains[1]) == keys(domains[2])
    for domain in domains[1:]:
        assert torch.equal(domain.render("held_out", 2), domains[0].render("held_out", 2))
