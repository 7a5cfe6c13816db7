"""Damage of every kind is noticed, set aside and made again; modes; leftovers of killed writers."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ood_diffusion.checks import UserError
from ood_diffusion.storage import atomic, index, shelf
from ood_diffusion.storage.atomic import atomic_write, remove_leftovers
from ood_diffusion.storage.record import read_record, write_record
from ood_diffusion.storage.store import Gone, TensorStore
from ood_diffusion.storage.stores import Stores
from tests.storage.test_store import make, rows

IDS = ["000001", "000002", "000003"]


def metadata(shard: Path) -> dict[str, str]:
    with safe_open(shard, framework="pt") as file:
        return dict(file.metadata())


def shard_of(store: TensorStore) -> Path:
    (shard,) = (store.folder / "shards").glob("*.safetensors")
    return shard


def flipped(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)


def emptied(shard: Path) -> None:
    shard.write_bytes(b"")


def cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-1])


def longer(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes() + b"\0")


def zeroed(shard: Path) -> None:
    shard.write_bytes(bytes(shard.stat().st_size))


def foreign(shard: Path) -> None:
    save_file({"data": rows(3)}, shard)


def another_id(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes().replace(b"000003", b"000004", 1))


def another_dtype(shard: Path) -> None:
    save_file({"data": load_file(shard)["data"].view(torch.int32)}, shard, metadata(shard))


def fewer_rows(shard: Path) -> None:
    save_file({"data": load_file(shard)["data"][:2].clone()}, shard, metadata(shard))


def another_name(shard: Path) -> None:
    save_file({"rows": load_file(shard)["data"]}, shard, metadata(shard))


def another_recipe(shard: Path) -> None:
    other = make(shard.parents[3], level=601)
    other.write(IDS, rows(3, seed=1))
    shutil.copy(shard_of(other), shard)


def another_kind(shard: Path) -> None:
    other = TensorStore(shard.parents[3], "draws", {}, torch.float32)
    other.write(IDS, rows(3, seed=1))
    shutil.copy(shard_of(other), shard)


def link_to_nothing(shard: Path) -> None:
    shard.unlink()
    shard.symlink_to("nowhere")


def folder(shard: Path) -> None:
    shard.unlink()
    shard.mkdir()


def pipe(shard: Path) -> None:
    shard.unlink()
    os.mkfifo(shard)


UNREADABLE = [flipped, emptied, cut, longer, zeroed, another_dtype, fewer_rows, another_name]
UNREADABLE += [another_recipe, another_kind, link_to_nothing, folder, pipe]
MISLABELLED = [foreign, another_id]  # whoever has seen the header before reads the right rows


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("damage", "known"),
    [
        *((damage, known) for damage in UNREADABLE for known in (False, True)),
        *((damage, False) for damage in MISLABELLED),
    ],
)
def test_a_damaged_shard_is_set_aside_and_its_items_are_missing(
    tmp_path: Path,
    damage: Callable[[Path], None],
    known: bool,
    indexed: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "FEWEST", 1 if indexed else 64)
    writer = make(tmp_path)
    writer.write(IDS, rows(3))
    store = writer if known else make(tmp_path)
    assert not known or store.missing(IDS) == []
    shard = shard_of(writer)
    assert (shard.parents[1] / "index").exists() == (indexed and known)
    damage(shard)
    with pytest.raises(Gone, match=r"3 are damaged or were deleted \(first: 000001\)"):
        store.read(IDS)
    assert store.missing(IDS) == IDS and not os.path.lexists(shard)
    assert os.path.lexists(f"{shard}.damaged")
    (line,) = caplog.messages
    assert f"{shard} is damaged" in line and "set aside" in line
    store.write(IDS, rows(3))
    assert torch.equal(store.read(IDS), rows(3))


def test_one_damaged_shard_found_all_are_found(tmp_path: Path) -> None:
    for i, name in enumerate(IDS):
        make(tmp_path).write([name], rows(1, seed=i))
    good, *bad = sorted((make(tmp_path).folder / "shards").iterdir())
    for shard in bad:
        flipped(shard)
    store = make(tmp_path)
    with pytest.raises(Gone):
        store.read(IDS)
    assert len(store.missing(IDS)) == 2 and good.exists()


def test_a_row_is_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path).write(IDS, rows(3))
    counted, digest = list[int](), shelf.tensor_digest
    monkeypatch.setattr(shelf, "tensor_digest", lambda row: counted.append(1) or digest(row))
    store = make(tmp_path)
    store.digests(IDS)
    assert counted == []
    for _ in range(3):
        store.read(IDS[:2])
    assert len(counted) == 2


def test_what_is_deleted_meanwhile_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    assert store.missing(IDS) == []
    shutil.rmtree(tmp_path)
    with pytest.raises(Gone, match="were deleted"):
        store.read(IDS)
    assert caplog.messages == [] or "was deleted" in caplog.messages[0]
    store.write(IDS, rows(3))
    shard_of(store).unlink()
    assert store.missing(IDS) == IDS


def test_what_another_process_made_again_is_found(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    store.missing(IDS)
    shard_of(store).unlink()
    make(tmp_path).write(IDS[:1], rows(1, seed=1))
    make(tmp_path).write(IDS[1:], rows(2, seed=2))
    assert torch.equal(store.read(IDS), torch.cat([rows(1, seed=1), rows(2, seed=2)]))


def test_what_vanishes_while_it_is_made_is_made_again(tmp_path: Path) -> None:
    store, asked = make(tmp_path), list[list[str]]()

    def fragile(missing: list[str]) -> None:
        asked.append(missing)
        store.write(missing, rows(len(missing)))
        if len(asked) == 1:
            shutil.rmtree(tmp_path)

    assert store.fill(IDS, fragile) == 3 and asked == [IDS, IDS]
    assert store.fill(IDS, fragile) == 0
    with pytest.raises(UserError, match="deletes or damages files there"):
        store.fill(["other"], lambda missing: None)


def test_readonly_writes_nothing_and_names_what_is_missing(tmp_path: Path) -> None:
    make(tmp_path).write(IDS, rows(3))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    store = Stores(tmp_path, "readonly").open("latents", {}, torch.float32)
    assert torch.equal(store.read(IDS), rows(3)) and store.fill(IDS, lambda missing: None) == 0
    for attempt in (
        lambda: store.write(["x"], rows(1)),
        lambda: store.fill([*IDS, "x"], lambda missing: None),
    ):
        with pytest.raises(UserError, match=r"store_mode=readonly needs .* \(first: x\)"):
            attempt()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    flipped(shard_of(store))
    store = Stores(tmp_path, "readonly").open("latents", {}, torch.float32)
    with pytest.raises(UserError, match=r"store_mode=readonly needs .* \(first: 000001\)"):
        store.read(IDS)
    assert store.missing(IDS) == IDS and shard_of(store).exists()


@pytest.mark.parametrize("batches", [[IDS], [IDS[:1], IDS[1:]], [IDS[::-1]]])
def test_fresh_replaces_what_was_there(tmp_path: Path, batches: list[list[str]]) -> None:
    make(tmp_path).write([*IDS, "other"], rows(4))
    make(tmp_path).write(IDS, rows(3))
    store = Stores(tmp_path, "fresh").open("latents", {}, torch.float32)
    assert store.missing([*IDS, "other"]) == [*IDS, "other"]
    for ids in batches:
        store.write(ids, torch.stack([torch.full((3, 4, 4), float(i)) for i in ids]))
    for seen in (store, make(tmp_path)):
        assert seen.read(IDS)[:, 0, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert make(tmp_path).missing(["other"]) == [] and store.missing(["other"]) == ["other"]


def test_one_handle_per_store(tmp_path: Path) -> None:
    stores = Stores(tmp_path)
    handle = stores.open("latents", {"level": 1}, torch.float32)
    assert handle is stores.open("latents", {"level": 1}, torch.float32)
    assert handle is not stores.open("latents", {"level": 2}, torch.float32)
    with pytest.raises(UserError, match="store_mode must be one of: fresh, readonly, reuse"):
        Stores(tmp_path, "again")


def test_a_store_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "good").symlink_to(".")
    for name in ("file", "file/below", "link", "link/below", "loop"):
        with pytest.raises(UserError, match="must be a folder, or the place for one"):
            Stores(tmp_path / name)
    for name in ("good", "good/below", "new/below"):
        Stores(tmp_path / name)


def test_a_shard_says_what_made_it(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    made_by = json.loads(metadata(shard_of(store))["origin"])
    assert made_by["torch"] == torch.__version__ and made_by["device"].startswith("cpu ")


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead, living = tmp_path / ".x.1.part", tmp_path / ".x.2.part"
    dead.write_bytes(b"half")
    with open(living, "xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # what a writer does
        remove_leftovers(tmp_path)
        assert living.exists() and not dead.exists()
    remove_leftovers(tmp_path)
    assert not living.exists()


def test_a_run_removes_leftovers_when_it_opens_a_store(tmp_path: Path) -> None:
    folder = make(tmp_path).folder
    for place in (folder, folder / "shards"):
        place.mkdir(parents=True, exist_ok=True)
        (place / ".x.1.part").write_bytes(b"half")
    Stores(tmp_path, "readonly").open("latents", {}, torch.float32)
    assert len(list(tmp_path.rglob("*.part"))) == 2
    make(tmp_path)
    assert not list(tmp_path.rglob("*.part"))


def test_a_writer_whose_temporary_file_is_taken_writes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, taken = os.replace, list[Path]()

    def thief(source: Path, target: Path) -> None:
        if not taken:
            taken.append(source)
            source.unlink()
        replace(source, target)

    monkeypatch.setattr(atomic.os, "replace", thief)
    atomic_write(tmp_path / "folder" / "file", b"data")
    assert taken and (tmp_path / "folder" / "file").read_bytes() == b"data"


def test_a_record_notices_damage(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    assert read_record(path) is None
    write_record(path, {"accepted": 17, "rate": float("nan")})
    assert read_record(path)["accepted"] == 17
    whole = path.read_bytes()
    for damaged in (whole.replace(b"17", b"18"), whole[:-1], b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
        path.write_bytes(damaged)
        assert read_record(path) is None


def test_a_damaged_shard_that_stays_where_it_is_is_not_said_to_be_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path).write(IDS, rows(3))
    shard = shard_of(make(tmp_path))
    cut(shard)
    assert Stores(tmp_path, "readonly").open("latents", {}, torch.float32).missing(IDS) == IDS
    (line,) = caplog.messages
    assert f"{shard} is damaged" in line and "set aside" not in line and shard.exists()
