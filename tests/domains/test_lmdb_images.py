"""LMDB databases: fork-safe, and wrong ones are named. Keys and splits: test_collection.py."""

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import pytest
import torch
from PIL import Image
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.domains.lmdb_images import LmdbImages
from tests.domains.trees import all_names, database, keys, names, write


@pytest.fixture
def lsun(tmp_path: Path) -> Path:
    for i in range(6):
        write(tmp_path / "images" / f"{i}.webp", i)  # LSUN's own format
    return database(tmp_path / "images", tmp_path / "church_lmdb")


def put(path: Path, key: bytes, value: bytes) -> None:
    with lmdb.open(str(path), map_size=2**20) as out, out.begin(write=True) as transaction:
        transaction.put(key, value)


def test_keys_are_names_and_nothing_is_written(lsun: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in lsun.iterdir()}
    domain = LmdbImages(16, lsun, seed=None)
    assert names(domain)["references"] == [f"{i:040x}" for i in range(3)]
    picture = (
        Image.open(lsun.parent / "images" / "0.webp").convert("RGB").resize((16, 16), 3, box=(2, 0, 22, 20))
    )
    assert (
        domain.render("references", 0).permute(1, 2, 0).tolist()
        == torch.tensor(picture.getdata()).reshape(16, 16, 3).tolist()
    )
    assert {file: file.stat().st_mtime_ns for file in lsun.iterdir()} == before


def rendered(domain: LmdbImages) -> Tensor:
    return domain.render("held_out", 1)


def test_processes_threads_and_several_domains_read_at_once(lsun: Path) -> None:
    first, second = LmdbImages(16, lsun), LmdbImages(24, lsun)
    expected = first.render("held_out", 1)
    assert second.render("held_out", 1).shape == (3, 24, 24)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert torch.equal(pool.apply(rendered, (first,)), expected)
    with ThreadPoolExecutor(4) as threads:
        assert all(torch.equal(picture, expected) for picture in threads.map(rendered, [first] * 20))
    assert torch.equal(rendered(pickle.loads(pickle.dumps(first))), expected)


def test_keys_need_not_be_text(lsun: Path) -> None:
    put(lsun, b"\xff\x00\x80", (lsun.parent / "images" / "0.webp").read_bytes()[:-1] + b"\x01")
    assert len(all_names(LmdbImages(16, lsun))) == 7


def test_a_value_that_is_no_image_is_named(lsun: Path) -> None:
    put(lsun, b"label-1", b"cat")
    with pytest.raises(
        UserError, match=r"got .*church_lmdb/label-1 \(none of the image formats that are read"
    ):
        LmdbImages(16, lsun)


def test_what_writers_keep_beside_the_images_is_passed_over(lsun: Path) -> None:
    before = keys(LmdbImages(16, lsun))
    for key in (b"__len__", b"__keys__", b"length", b"num-samples"):
        put(lsun, key, b"6")
    domain = LmdbImages(16, lsun)
    assert keys(domain) == before
    assert domain.record()["passed_over"] == {"bookkeeping keys": 4}


def test_a_folder_that_is_no_lmdb(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=rf"must be an LMDB folder, with a file data\.mdb, but got '{tmp_path}'"
    ):
        LmdbImages(16, tmp_path)
    (tmp_path / "data.mdb").write_bytes(b"text" * 5000)
    with pytest.raises(
        UserError, match=rf"must be readable, but got {tmp_path} \(InvalidError: .*not an LMDB file"
    ):
        LmdbImages(16, tmp_path)


def test_a_truncated_database_is_refused_before_it_kills_the_process(lsun: Path) -> None:
    size = (lsun / "data.mdb").stat().st_size
    with (lsun / "data.mdb").open("r+b") as file:
        file.truncate(size // 2)
    with pytest.raises(
        UserError, match=rf"must be complete, but got '{size // 2} of {size} bytes in {lsun}/data\.mdb'"
    ):
        LmdbImages(16, lsun)


def test_an_empty_database(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match=r"must hold images, but got 'no entry in .*empty_lmdb'"):
        LmdbImages(16, database(tmp_path / "images", tmp_path / "empty_lmdb"))


def test_without_the_library_the_extra_is_named(lsun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(UserError, match=r'needs the package lmdb.*pip install "ood-diffusion\[lmdb\]"'):
        LmdbImages(16, lsun)
