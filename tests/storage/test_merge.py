"""Small shards become one: nothing is lost, whoever dies, reads, replaces or merges at the same time."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ood_diffusion.storage import index, merge, shelf
from ood_diffusion.storage import store as store_module
from ood_diffusion.storage.index import read_index
from ood_diffusion.storage.shard import Header, Version, read_header
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.storage.stores import Stores
from tests.storage.test_store import make, rows

N = 6
IDS = [f"{i}" for i in range(N)]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MANY", N)


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small stores have an index, and nothing is merged."""
    monkeypatch.setattr(merge, "MANY", 1000)
    monkeypatch.setattr(index, "FEWEST", 4)


def shards(store: TensorStore) -> list[Path]:
    return sorted((store.folder / "shards").glob("*.safetensors"))


def filled(root: Path, **recipe: object) -> TensorStore:
    """Six shards of one item each, a second apart: a handle that has not looked since."""
    store, data = make(root, **recipe), rows(N)
    for i, name in enumerate(IDS):
        store.write([name], data[i : i + 1])
    for i, path in enumerate(sorted(shards(store), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, ns=(i * 10**9, i * 10**9))
    return store


def test_many_small_shards_become_one_when_a_later_run_looks(tmp_path: Path) -> None:
    filled(tmp_path)
    store = make(tmp_path)
    assert store.missing([*IDS, "x"]) == ["x"]
    (only,) = shards(store)
    assert torch.equal(store.read(IDS), rows(N)) and torch.equal(make(tmp_path).read(IDS), rows(N))
    assert only.stat().st_mtime_ns == (N - 1) * 10**9  # not newer than what it holds
    with safe_open(only, framework="pt") as file:
        assert json.loads(file.metadata()["origin"])["torch"] == torch.__version__


def test_few_and_large_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    monkeypatch.setattr(merge, "SMALL", 10)
    assert make(tmp_path).missing(IDS) == [] and len(shards(store)) == N
    monkeypatch.undo()
    assert make(tmp_path).missing(IDS) == [] and len(shards(store)) == N


def test_a_merged_shard_is_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    monkeypatch.setattr(merge, "FULL", 4 * shards(store)[0].stat().st_size + 10)
    assert make(tmp_path).missing(IDS) == [] and len(shards(store)) == 3
    assert torch.equal(make(tmp_path).read(IDS), rows(N))


def test_who_knew_the_parts_reads_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(tmp_path)
    reader = Stores(tmp_path, "readonly").open("latents", {}, torch.float32)
    assert reader.missing(IDS) == [] and len(shards(reader)) == N
    make(tmp_path).missing(IDS)
    assert torch.equal(reader.read(IDS), rows(N)) and len(shards(reader)) == 1
    assert caplog.messages == []
    with pytest.raises(Exception, match="Run the stage that makes them first"):
        reader.read(["never"])


def test_who_sees_the_merged_shard_beside_its_parts_reads_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts = shards(filled(tmp_path))
    reader = Stores(tmp_path, "readonly").open("latents", {}, torch.float32)
    assert reader.missing(IDS) == []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
    merge.merge(reader.folder)
    monkeypatch.undo()
    assert reader.missing(IDS) == [] and len(shards(reader)) == N + 1
    for path in parts[:3]:
        path.unlink()
    assert reader.missing(IDS) == []
    for path in parts[3:]:
        path.unlink()
    assert torch.equal(reader.read(IDS), rows(N)) and caplog.messages == []


def test_what_a_killed_merge_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path)
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
    merge.merge(store.folder)
    monkeypatch.undo()
    sizes = sorted(path.stat().st_size for path in shards(store))
    monkeypatch.setattr(merge, "SMALL", sizes[-1])  # the merged one is not
    monkeypatch.setattr(merge, "MANY", N)
    assert make(tmp_path).missing(IDS) == [] and len(shards(store)) == 1
    assert torch.equal(make(tmp_path).read(IDS), rows(N))


def test_fresh_knows_what_was_old_before_it_was_merged(tmp_path: Path) -> None:
    filled(tmp_path)
    fresh = Stores(tmp_path, "fresh").open("latents", {}, torch.float32)
    fresh.write(IDS[:2], rows(2, seed=1))
    other = make(tmp_path)
    other.missing(IDS)
    (only,) = shards(other)
    assert [name for name, _, n in read_header(other.folder, only.name).parts if n] != []
    assert fresh.missing(IDS) == IDS[2:]
    assert torch.equal(fresh.read(IDS[:2]), rows(2, seed=1))
    assert torch.equal(make(tmp_path).read(IDS), torch.cat([rows(2, seed=1), rows(N)[2:]]))


def test_merged_twice_is_still_old(tmp_path: Path) -> None:
    filled(tmp_path)
    fresh = Stores(tmp_path, "fresh").open("latents", {}, torch.float32)
    make(tmp_path).missing(IDS)
    more = [f"more{i}" for i in range(N - 1)]
    for name in more:
        make(tmp_path).write([name], rows(1))
    assert make(tmp_path).missing(IDS) == [] and len(shards(fresh)) == 1
    assert fresh.missing([*IDS, *more]) == IDS


@pytest.mark.parametrize("dies", ["before the first part goes", "after it"])
def test_who_dies_while_merging_loses_nothing(
    dies: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, unlink = filled(tmp_path), Path.unlink

    def fatal(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".safetensors":
            if dies == "after it":
                unlink(path, missing_ok)
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", fatal)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).missing(IDS)
    monkeypatch.setattr(Path, "unlink", unlink)
    assert len(shards(store)) == (N if dies == "after it" else N + 1)
    assert torch.equal(make(tmp_path).read(IDS), rows(N)) and len(shards(store)) == 1


def test_two_that_merge_at_once_where_locks_do_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, choose = filled(tmp_path), merge.chosen

    def second(mine: shelf.Shelf) -> list[tuple[str, Version, Header]]:
        found = choose(mine)
        monkeypatch.setattr(merge, "chosen", choose)
        merge.merge(store.folder)  # both have chosen the same
        return found

    monkeypatch.setattr(merge, "chosen", second)
    merge.merge(store.folder)
    assert torch.equal(make(tmp_path).read(IDS), rows(N)) and len(shards(store)) == 1


def test_a_damaged_part_is_set_aside_and_the_others_are_merged(tmp_path: Path) -> None:
    store = filled(tmp_path)
    shards(store)[0].write_bytes(shards(store)[0].read_bytes()[:-1] + b"\x7f")
    (lost,) = make(tmp_path).missing(IDS)
    assert len(shards(store)) == 1 and len(list((store.folder / "shards").glob("*.damaged"))) == 1
    rest = [i for i in IDS if i != lost]
    assert torch.equal(make(tmp_path).read(rest), rows(N)[[int(i) for i in rest]])


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    opened, real = list[str](), shelf.read_header
    monkeypatch.setattr(shelf, "read_header", lambda folder, name: opened.append(name) or real(folder, name))
    return opened


@pytest.mark.usefixtures("indexed")
def test_opening_reads_the_headers_of_new_shards_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, opened = filled(tmp_path), counting(monkeypatch)
    assert make(tmp_path).missing(IDS) == [] and len(opened) == N
    assert len(read_index(store.folder)) == N
    opened.clear()
    make(tmp_path).write(["new"], rows(1))
    again = make(tmp_path)
    assert again.missing([*IDS, "new", "x"]) == ["x"] and len(opened) == 1
    assert torch.equal(again.read(IDS), rows(N)) and again.digests(IDS) == store.digests(IDS)
    assert len(read_index(store.folder)) == N  # one is not worth a new index


@pytest.mark.parametrize("damage", [b"", b"no", b"x\n{}", None])
@pytest.mark.usefixtures("indexed")
def test_an_index_that_is_lost_or_damaged_is_made_again(damage: bytes | None, tmp_path: Path) -> None:
    path = filled(tmp_path).folder / "index"
    make(tmp_path).missing(IDS)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"[0,", b"[1,", 1) if damage is None else damage)
    assert read_index(path.parent) == {}
    assert make(tmp_path).missing(IDS) == [] and path.read_bytes() == whole
    path.unlink()
    path.mkdir()  # one that cannot be written is done without
    assert make(tmp_path).missing(IDS) == []


@pytest.mark.usefixtures("indexed")
def test_an_entry_counts_for_the_version_of_the_shard_that_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, opened = filled(tmp_path), counting(monkeypatch)
    make(tmp_path).missing(IDS)
    opened.clear()
    store.write(IDS[:1], rows(1, seed=5))  # under the same name
    assert torch.equal(make(tmp_path).read(IDS[:1]), rows(1, seed=5)) and len(opened) == 1


def test_after_a_change_of_origin_the_new_ones_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "origin", lambda device: {"torch": "older"})
    store = make(tmp_path)
    store.write(["old"], rows(1, seed=9))
    (old,) = shards(store)
    os.utime(old, ns=(0, 0))
    monkeypatch.undo()
    monkeypatch.setattr(merge, "MANY", N)
    filled(tmp_path)
    os.utime(old, ns=(0, 0))
    assert make(tmp_path).missing([*IDS, "old"]) == [] and len(shards(store)) == 2 and old.exists()
    assert torch.equal(make(tmp_path).read(["old", *IDS]), torch.cat([rows(1, seed=9), rows(N)]))


@pytest.mark.parametrize("disk", ["has room", "is full"])
def test_what_is_withdrawn_from_a_merged_shard_leaves_the_items_of_others(
    disk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    old = Stores(tmp_path, "fresh").open("latents", {}, torch.float32)
    void = make(tmp_path)
    void.write(["void"], rows(1, seed=3))
    assert make(tmp_path).missing([*IDS, "void"]) == [] and len(shards(void)) == 1
    if disk == "is full":
        monkeypatch.setattr(merge, "write_shard", lambda *given: os.open("", 0))  # an OSError
    void.withdraw()
    left = make(tmp_path).missing([*IDS, "void"])
    assert left == (["void"] if disk == "has room" else [*IDS, "void"])
    if disk == "has room":
        assert torch.equal(make(tmp_path).read(IDS), rows(N))
        assert old.missing(IDS) == IDS  # as before
