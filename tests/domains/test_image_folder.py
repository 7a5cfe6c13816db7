"""Splits, addresses and errors of image files in a folder or a .zip."""

import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.base import SPLITS
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.image_zip import ImageZip
from ood_diffusion.domains.images import source
from tests.domains.trees import keys, write, zipped


@pytest.fixture
def heap(tmp_path: Path) -> Path:
    for i in range(7):
        write(tmp_path / "heap" / ("deep/er" if i % 2 else "") / f"{i}.png", i)
    (tmp_path / "heap" / "notes.txt").write_text("not an image")
    return tmp_path / "heap"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    for i in range(3):
        write(tmp_path / "given" / "references" / "sub" / f"{i}.png", i)
        write(tmp_path / "given" / "held_out" / f"{i}.png", 10 + i)
    return tmp_path / "given"


@pytest.mark.parametrize("layout", ["heap", "given"])
def test_a_zip_equals_the_folder(layout: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(layout)
    a = ImageFolder(16, folder)
    for top in ("", "wrapper/"):
        b = ImageZip(16, zipped(folder, tmp_path / "a.zip", top))
        assert keys(a) == keys(b)
        for split in SPLITS:
            for i in range(a.size(split)):
                assert torch.equal(a.render(split, i), b.render(split, i))


def test_given_splits_are_kept(given: Path) -> None:
    domain = ImageFolder(16, given)
    assert {Path(domain.name("references", i)).parts[0] for i in range(3)} == {"references"}
    assert {Path(domain.name("held_out", i)).parts[0] for i in range(3)} == {"held_out"}


def test_without_split_folders_images_are_halved(heap: Path) -> None:
    domain = ImageFolder(16, heap)
    assert (domain.size("references"), domain.size("held_out")) == (4, 3)
    names = {domain.name(split, i) for split in SPLITS for i in range(domain.size(split))}
    assert len(names) == 7 and "notes.txt" not in names


def test_renaming_and_moving_change_nothing(heap: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for n, file in enumerate(sorted(heap.rglob("*.png"), key=lambda f: f.read_bytes())):
        shutil.copy(file, moved / f"renamed {n}.PNG")
    assert keys(ImageFolder(16, moved)) == keys(ImageFolder(16, heap))


def test_the_seed_changes_the_halves_but_no_key(heap: Path) -> None:
    all_keys = [keys(ImageFolder(16, heap, seed)) for seed in range(4)]
    assert len({tuple(k["references"]) for k in all_keys}) > 1
    assert len({frozenset(k["references"] + k["held_out"]) for k in all_keys}) == 1


def test_copies_count_once(heap: Path) -> None:
    before = keys(ImageFolder(16, heap))
    shutil.copy(heap / "0.png", heap / "copy of 0.png")
    assert keys(ImageFolder(16, heap)) == before


def test_hidden_files_and_macos_twins_are_passed_over(heap: Path) -> None:
    before = keys(ImageFolder(16, heap))
    (heap / "__MACOSX").mkdir()
    (heap / "__MACOSX" / "0.png").write_bytes(b"resource fork")
    (heap / "._0.png").write_bytes(b"resource fork")
    assert keys(ImageFolder(16, heap)) == before


def test_linked_folders_are_followed_once(heap: Path, tmp_path: Path) -> None:
    before = keys(ImageFolder(16, heap))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a").symlink_to(heap)
    (heap / "loop").symlink_to(heap)
    assert keys(ImageFolder(16, tmp_path / "links")) == before


def test_an_image_in_both_given_splits_is_an_error_that_names_both(given: Path) -> None:
    shutil.copy(given / "references/sub/1.png", given / "held_out/again.png")
    with pytest.raises(UserError, match=r"references/sub/1\.png and held_out/again\.png'"):
        ImageFolder(16, given)
    shutil.copy(given / "references/sub/2.png", given / "held_out/more.png")
    with pytest.raises(UserError, match=r"\(and 1 more\)"):
        ImageFolder(16, given)


@pytest.mark.parametrize("judges", ["val", "test"])
def test_published_data_sets_call_the_splits_train_and_val_or_test(judges: str, given: Path) -> None:
    before = keys(ImageFolder(16, given))
    (given / "references").rename(given / "train")
    (given / "held_out").rename(given / judges)
    assert keys(ImageFolder(16, given)) == before


def test_half_a_layout_is_an_error(given: Path) -> None:
    write(given / "stray.png", 99)
    with pytest.raises(UserError, match=r"both references/ .*and held_out/.*stray\.png"):
        ImageFolder(16, given)
    (given / "stray.png").unlink()
    (given / "references").rename(given / "training")
    with pytest.raises(UserError, match="'references': 0, 'held_out': 3, 'elsewhere': 3"):
        ImageFolder(16, given)
    shutil.rmtree(given / "training")
    with pytest.raises(UserError, match="'references': 0, 'held_out': 3, 'elsewhere': 0"):
        ImageFolder(16, given)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"domain\.path must exist, but got '.*/nowhere'.*docs/data\.md"):
        ImageFolder(16, tmp_path / "nowhere")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("empty")
    with pytest.raises(UserError, match=rf"must hold images \(.*\.png .*\), but got 'none in {tmp_path}'"):
        ImageFolder(16, tmp_path)


def test_fewer_than_two_different_images(tmp_path: Path) -> None:
    shutil.copy(write(tmp_path / "a.png", 0), tmp_path / "b.png")
    with pytest.raises(UserError, match=f"at least 2 different pictures.*'1 in {tmp_path}'"):
        ImageFolder(16, tmp_path)


@pytest.mark.parametrize("content", [b"", b"this is text", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("archive", [False, True])
def test_a_file_that_is_no_image_is_named(heap: Path, content: bytes, archive: bool, tmp_path: Path) -> None:
    (heap / "bad.png").write_bytes(content)
    path = zipped(heap, tmp_path / "a.zip") if archive else heap
    with pytest.raises(
        UserError, match=rf"must be readable, but got {path}/bad\.png \(.*\)\. Repair or remove"
    ):
        (ImageZip if archive else ImageFolder)(16, path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp", "avif"])
def test_a_truncated_file_is_named_when_it_is_rendered(suffix: str, tmp_path: Path) -> None:
    for i in range(2):
        file = write(tmp_path / f"{i}.{suffix}", i)
        data = file.read_bytes()
        file.write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(UserError, match=rf"must be readable, but got {tmp_path}/\d\.{suffix} \("):
        ImageFolder(16, tmp_path).render("references", 0)


@pytest.mark.parametrize("side", [1, 7])
def test_a_picture_too_small_to_learn_from_is_named(side: int, heap: Path) -> None:
    Image.new("RGB", (90, side)).save(heap / "dot.png")
    with pytest.raises(
        UserError, match=rf"at least 8 pixels wide, but got '90 x {side} pixels in {heap}/dot\.png'"
    ):
        ImageFolder(16, heap)


def test_a_png_that_promises_more_pixels_than_it_may_is_refused_before_it_is_decoded(heap: Path) -> None:
    data = bytearray((heap / "0.png").read_bytes())
    data[16:24] = (30_000).to_bytes(4, "big") * 2  # width and height, in a file of a kilobyte
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (heap / "bomb.png").write_bytes(data)
    with pytest.raises(UserError, match=r"at most 89478485 pixels, but got more in .*/bomb\.png"):
        ImageFolder(16, heap)


def test_a_mode_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(np.full((9, 9), i, dtype=np.float32)).save(tmp_path / f"{i}.tif")
    with pytest.raises(UserError, match=rf"^{tmp_path}/\d\.tif: a picture must be 8- or 16-bit"):
        ImageFolder(9, tmp_path).render("references", 0)


@pytest.mark.parametrize("limit", [200, 400])  # Pillow raises above twice the limit and warns above the limit
def test_a_decompression_bomb_is_named(heap: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # the images hold 480
    with pytest.raises(UserError, match=rf"at most {limit} pixels, but got more in {heap}/0\.png"):
        ImageFolder(16, heap)


def test_a_file_that_unpacks_too_large_is_named(heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 100)
    with pytest.raises(UserError, match=r"unpack to at most 100 bytes, but got '\d+ bytes in .*0\.png"):
        ImageFolder(16, heap)


def test_a_file_changed_after_the_start_is_an_error(heap: Path) -> None:
    domain = ImageFolder(16, heap)
    write(heap / domain.name("references", 0), 1234)
    with pytest.raises(UserError, match="must not change during a run"):
        domain.render("references", 0)


def test_a_file_removed_after_the_start_is_an_error(heap: Path) -> None:
    domain = ImageFolder(16, heap)
    (heap / domain.name("references", 0)).unlink()
    with pytest.raises(UserError, match=r"must be readable, but got .*\(FileNotFoundError"):
        domain.render("references", 0)


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("CMYK", (0, 255, 255, 0), "jpg", [255, 0, 0]),
        ("I;16", 25700, "png", [100, 100, 100]),
        ("P", 1, "png", [255, 255, 255]),  # palette entry 1 is transparent: white paper
    ],
)
def test_unusual_modes_have_the_right_colours(
    mode: str, colour: object, kind: str, expected: list[int], heap: Path
) -> None:
    image = Image.new(mode, (16, 16), colour)  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([9, 9, 9, 200, 10, 10])
    image.save(heap / f"unusual.{kind}", **({"transparency": 1} if mode == "P" else {}))
    domain = ImageFolder(16, heap)
    (split, index) = next((s, i) for s in SPLITS for i in range(4) if "unusual" in domain.name(s, i))
    picture = domain.render(split, index)
    assert (picture - torch.tensor(expected)[:, None, None]).abs().max() <= 2  # JPEG rounds
