"""Splits, addresses and errors of image files in a folder or a .zip."""

import logging
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features

from ood_diffusion.checks import UserError
from ood_diffusion.domains.base import SPLITS
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.image_zip import ImageZip
from ood_diffusion.domains.images import source
from tests.domains.trees import all_names, keys, names, write, zipped


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
    assert len(all_names(domain)) == 7 and "notes.txt" not in all_names(domain)


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


def test_what_is_passed_over_is_counted_and_said(heap: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = keys(ImageFolder(16, heap))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    for i in range(10):
        (heap / f"IMG_{i}.HEIC").touch()
    (heap / "no_ending").touch()
    (heap / "Thumbs.db").touch()
    (heap / "a.tar.gz").touch()
    (heap / ".DS_Store").touch()
    write(heap / "@eaDir" / "0.png" / "SYNOPHOTO_THUMB_M.jpg", 99)
    write(heap / "#recycle" / "deleted.png", 98)
    os.mkfifo(heap / "pipe.png")
    (heap / "zeros.png").symlink_to("/dev/zero")
    caplog.clear()
    domain = ImageFolder(16, heap)
    assert keys(domain) == before
    assert domain.record() == {
        "path": str(heap),
        "splits": "halves",
        "files": 7,
        "copies": 0,
        "pictures": {"references": 4, "held_out": 3},
        "passed_over": {
            ".heic": 10,
            "thumbnails and other files of the system": 3,
            "pipes and devices": 2,
            ".txt": 1,
            ".tar.gz": 1,
            "hidden files": 1,
            "files without an ending": 1,
        },
        "digest": ImageFolder(16, heap).record()["digest"],
    }
    assert f"Skipped in {heap}: 10 .heic, 3 thumbnails and other files" in caplog.text
    warned = next(record for record in caplog.records if record.levelno >= logging.WARNING)
    assert "10 .heic" in warned.message  # ten photos that are not there, seven that are


def test_the_digest_is_that_of_the_contents(heap: Path) -> None:
    before = ImageFolder(16, heap).record()["digest"]
    (heap / "0.png").rename(heap / "zero.png")
    assert ImageFolder(32, heap, seed=None).record()["digest"] == before
    write(heap / "new.png", 50)
    assert ImageFolder(16, heap).record()["digest"] != before


def test_a_pipe_or_device_in_place_of_the_data_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "zeros.zip").symlink_to("/dev/zero")
    for name in ("pipe.zip", "zeros.zip"):
        for domain in (ImageFolder, ImageZip):
            with pytest.raises(UserError, match=rf"must be a file or folder, but got 'the pipe .*{name}'"):
                domain(16, tmp_path / name)


def test_names_need_not_be_utf_8(heap: Path) -> None:
    os.rename(heap / "0.png", os.fsencode(heap) + b"/\xff.png")
    assert len(all_names(ImageFolder(16, heap))) == 7
    Path(os.fsdecode(os.fsencode(heap) + b"/\xfe.png")).write_text("text")
    with pytest.raises(UserError, match=r"must be readable, but got .*/\\xfe\.png \(") as caught:
        ImageFolder(16, heap)
    assert str(caught.value).encode()


def test_a_name_is_the_same_however_its_accents_are_spelt(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"  # as most keyboards and as macOS write it
    for i in range(12):
        write(tmp_path / "a" / composed / f"\u00e9{i}.png", i)
        write(tmp_path / "b" / decomposed / f"e\u0301{i}.png", i)
    for seed in (None, 0):
        a, b = (
            ImageFolder(16, tmp_path / folder, seed, limit=6, classes=[classes])
            for folder, classes in (("a", decomposed), ("b", composed))
        )
        assert keys(a) == keys(b)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX"])
def test_only_raster_formats_that_pillow_decodes_are_read(kind: str, heap: Path) -> None:
    Image.new("RGB", (32, 32)).save(heap / "x.png", kind)  # an EPS would be handed to Ghostscript
    with pytest.raises(UserError, match=r"/x\.png \(none of the image formats that are read"):
        ImageFolder(16, heap)


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


@pytest.mark.parametrize(
    "split_names",
    [
        ("train", "val"),
        ("train", "test"),
        ("Train", "Test"),
        ("TRAIN", "VAL"),
        ("training", "testing"),
        ("train", "validation"),
        ("train2017", "val2017"),
        ("Training_Set", "Test_Set"),
        ("reference-images", "held-out"),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_published_data_sets_name_their_splits_in_many_ways(
    split_names: tuple[str, str], archive: bool, given: Path, tmp_path: Path
) -> None:
    before = keys(ImageFolder(16, given))
    for old, new in zip(("references", "held_out"), split_names, strict=True):
        (given / old).rename(given / new)
    domain = ImageZip(16, zipped(given, tmp_path / "a.zip")) if archive else ImageFolder(16, given)
    assert keys(domain) == before


def test_split_folders_may_lie_in_folders_of_kinds(tmp_path: Path) -> None:
    for i, folder in enumerate(("cat/train", "dog/train", "cat/test", "dog/test")):
        write(tmp_path / folder / "a.png", i)
    assert {split: set(found) for split, found in names(ImageFolder(16, tmp_path)).items()} == {
        "references": {"cat/train/a.png", "dog/train/a.png"},
        "held_out": {"cat/test/a.png", "dog/test/a.png"},
    }
    write(tmp_path / "bird" / "a.png", 9)
    with pytest.raises(UserError, match=r"nowhere else, .*'elsewhere': 1, 'for example': 'bird/a\.png'"):
        ImageFolder(16, tmp_path)


def test_half_a_layout_is_an_error(given: Path) -> None:
    write(given / "stray.png", 99)
    with pytest.raises(UserError, match=r"both references/ .*and held_out/.*stray\.png"):
        ImageFolder(16, given)
    (given / "stray.png").unlink()
    (given / "references").rename(given / "examples")
    with pytest.raises(UserError, match="'references': 0, 'held_out': 3, 'elsewhere': 3"):
        ImageFolder(16, given)
    shutil.rmtree(given / "examples")
    with pytest.raises(UserError, match="'references': 0, 'held_out': 3, 'elsewhere': 0"):
        ImageFolder(16, given)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"domain\.path must exist, but got '.*/nowhere'.*docs/data\.md"):
        ImageFolder(16, tmp_path / "nowhere")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("empty")
    (tmp_path / "a.HEIC").touch()
    (tmp_path / "b.heic").touch()
    with pytest.raises(
        UserError,
        match=rf"must hold images \(.*\.png .*\), but got 'none in {tmp_path} \(but 2 \.heic, 1 \.txt\)'",
    ):
        ImageFolder(16, tmp_path)


def test_fewer_than_two_different_images(tmp_path: Path) -> None:
    shutil.copy(write(tmp_path / "a.png", 0), tmp_path / "b.png")
    with pytest.raises(UserError, match=f"at least 2 different images.*'1 in {tmp_path}'"):
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


AVIF = pytest.param("avif", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow reads none"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp", AVIF])
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
    with pytest.raises(UserError, match=rf"^{tmp_path}/\d\.tif: an image must be 8- or 16-bit"):
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
