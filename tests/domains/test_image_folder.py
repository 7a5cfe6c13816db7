"""Splits, addresses and errors of a user's folder or .zip."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.base import SPLITS
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.images import files as image_files


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def zipped(folder: Path, archive: Path, top: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(folder.rglob("*"), reverse=True):
            out.write(file, top + file.relative_to(folder).as_posix())
    return archive


def keys(domain: ImageFolder) -> dict[str, list[str]]:
    return {split: [domain.key(split, i) for i in range(domain.size(split))] for split in SPLITS}


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
        b = ImageFolder(16, zipped(folder, tmp_path / "a.zip", top))
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


def test_zip_members_with_hostile_names_never_reach_the_disk(heap: Path, tmp_path: Path) -> None:
    archive = tmp_path / "box" / "evil.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as out:
        for i, file in enumerate(sorted(heap.rglob("*.png"))):
            out.writestr(f"../../escaped{i}.png", file.read_bytes())
    domain = ImageFolder(16, archive)
    domain.render("references", 0)
    assert not list(tmp_path.glob("escaped*")) and list(archive.parent.iterdir()) == [archive]


def test_an_image_in_both_given_splits_is_an_error_that_names_both(given: Path) -> None:
    shutil.copy(given / "references/sub/1.png", given / "held_out/again.png")
    with pytest.raises(UserError, match=r"references/sub/1\.png and held_out/again\.png'"):
        ImageFolder(16, given)
    shutil.copy(given / "references/sub/2.png", given / "held_out/more.png")
    with pytest.raises(UserError, match=r"\(and 1 more\)"):
        ImageFolder(16, given)


def test_train_is_another_name_for_references(given: Path) -> None:
    before = ImageFolder(16, given)
    (given / "references").rename(given / "train")
    after = ImageFolder(16, given)
    for split in ("references", "held_out"):
        assert [after.key(split, i) for i in range(3)] == [before.key(split, i) for i in range(3)]


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
    with pytest.raises(UserError, match=r"domain\.path must exist, but got '.*/nowhere'.*folder of images"):
        ImageFolder(16, tmp_path / "nowhere")


def test_a_path_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"tar")
    with pytest.raises(UserError, match=r"must be a folder or a \.zip file, but got '.*a\.tar'"):
        ImageFolder(16, tmp_path / "a.tar")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("empty")
    with pytest.raises(UserError, match=f"must hold images, but got 'none in {tmp_path}'"):
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
    with pytest.raises(UserError, match=rf"must be readable, but got {path}/bad\.png \("):
        ImageFolder(16, path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_a_truncated_file_is_named_when_it_is_rendered(suffix: str, tmp_path: Path) -> None:
    for i in range(2):
        file = write(tmp_path / f"{i}.{suffix}", i)
        data = file.read_bytes()
        file.write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(UserError, match=rf"must be readable, but got {tmp_path}/\d\.{suffix} \("):
        ImageFolder(16, tmp_path).render("references", 0)


def test_a_mode_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(np.full((8, 8), i, dtype=np.float32)).save(tmp_path / f"{i}.tif")
    with pytest.raises(UserError, match=rf"^{tmp_path}/\d\.tif: a picture must be 8- or 16-bit"):
        ImageFolder(8, tmp_path).render("references", 0)


@pytest.mark.parametrize("limit", [200, 400])  # Pillow raises above twice the limit and warns above the limit
def test_a_decompression_bomb_is_named(heap: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # the images hold 480
    with pytest.raises(UserError, match=rf"at most {limit} pixels, but got more in {heap}/0\.png"):
        ImageFolder(16, heap)


def test_a_file_that_unpacks_too_large_is_named(heap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "MAX_FILE_BYTES", 100)
    with pytest.raises(UserError, match=r"unpack to at most 100 bytes, but got '\d+ bytes in .*0\.png"):
        ImageFolder(16, heap)


def test_a_damaged_zip_names_the_member(heap: Path, tmp_path: Path) -> None:
    archive = zipped(heap, tmp_path / "a.zip")
    with zipfile.ZipFile(archive) as members:
        info = members.getinfo("0.png")
    data = bytearray(archive.read_bytes())
    data[info.header_offset + 300] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"must be readable, but got .*a\.zip/0\.png \(BadZipFile: Bad CRC"):
        ImageFolder(16, archive)


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
