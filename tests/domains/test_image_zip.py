"""What only a .zip can get wrong. What it shares with folders: test_image_folder.py, test_collection.py."""

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.domains.image_folder import ImageFolder
from ood_diffusion.domains.image_zip import ImageZip
from tests.domains.trees import names, write, zipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(4):
        write(tmp_path / "box" / f"{i}.png", i)
    return tmp_path / "box"


def with_member(folder: Path, archive: Path, name: str, content: bytes) -> Path:
    zipped(folder, archive)
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr(name, content)
    return archive


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.png",
        "a/../../escaped.png",
        "/somewhere/escaped.png",
        "..\\escaped.png",
        "C:\\escaped.png",
        "\\a.png",
    ],
)
def test_an_archive_made_to_write_elsewhere_is_refused_as_a_whole(
    name: str, folder: Path, tmp_path: Path
) -> None:
    archive = with_member(folder, tmp_path / "evil.zip", name, (folder / "0.png").read_bytes())
    with pytest.raises(
        UserError, match=r"must stay inside it .*escaped|a\.png in .*evil\.zip.*source you trust"
    ):
        ImageZip(16, archive)


def test_a_zip_in_a_zip_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = with_member(folder, tmp_path / "outer.zip", "more/inner.ZIP", b"PK")
    with pytest.raises(UserError, match=r"not another \.zip, but got 'more/inner\.ZIP in .*Unpack it first"):
        ImageZip(16, archive)


def test_a_folder_is_for_image_folder_and_a_zip_for_image_zip(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=rf"must be a \.zip archive, .*Use domain=image_folder domain\.path={folder}"
    ):
        ImageZip(16, folder)
    archive = zipped(folder, tmp_path / "a.zip")
    with pytest.raises(UserError, match=rf"must be a folder, .*Use domain=image_zip domain\.path={archive}"):
        ImageFolder(16, archive)


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"tar")
    with pytest.raises(UserError, match=r"must be a \.zip archive, but got 'the file .*a\.tar'\. Unpack it"):
        ImageZip(16, tmp_path / "a.tar")
    with pytest.raises(UserError, match=r"must be a folder, but got 'the file .*a\.tar'"):
        ImageFolder(16, tmp_path / "a.tar")


def test_a_truncated_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"must be a \.zip archive.*fetch it again"):
        ImageZip(16, archive)


def test_a_damaged_member_is_named(folder: Path, tmp_path: Path) -> None:
    archive = zipped(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(archive) as members:
        info = members.getinfo("0.png")
    data = bytearray(archive.read_bytes())
    data[info.header_offset + 300] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"must be readable, but got .*a\.zip/0\.png \(BadZipFile: Bad CRC"):
        ImageZip(16, archive)


def test_names_of_windows_are_paths(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as out:
        for i, split in enumerate(("Train", "Train", "Train", "Test")):
            out.write(folder / f"{i}.png", f"my data\\{split}\\{i}.png")
        out.writestr("my data\\Train\\", "")
    domain = ImageZip(16, tmp_path / "windows.zip", classes=["my data"])
    assert {split: sorted(found) for split, found in names(domain).items()} == {
        "references": [f"my data/Train/{i}.png" for i in range(3)],
        "held_out": ["my data/Test/3.png"],
    }
    assert domain.render("held_out", 0).shape == (3, 16, 16)
    assert domain.record()["passed_over"] == {}


def test_an_open_archive_survives_pickling(folder: Path, tmp_path: Path) -> None:
    domain = ImageZip(16, zipped(folder, tmp_path / "a.zip"))
    before = domain.render("references", 0)
    assert torch.equal(pickle.loads(pickle.dumps(domain)).render("references", 0), before)
