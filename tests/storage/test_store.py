import multiprocessing
import os
import pickle
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock, Timeout
from safetensors import safe_open

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint, tensor_digest
from ood_diffusion.storage import shard as shard_module
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.store import BLOCK, TensorStore


def make(root: Path, **recipe: object) -> TensorStore:
    return TensorStore(root, "latents", recipe, torch.float32)


def rows(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def test_read_returns_what_was_written_in_any_order(tmp_path: Path) -> None:
    data = rows(5)
    make(tmp_path).write(["a", "b", "c"], data[:3])
    make(tmp_path).write(["d", "e"], data[3:])
    assert torch.equal(make(tmp_path).read(["e", "a", "d", "a"]), data[[4, 0, 3, 0]])


def test_blocks_are_what_read_returns_cut_up(tmp_path: Path) -> None:
    ids, data = [f"{i}" for i in range(2 * BLOCK + 1)], rows(2 * BLOCK + 1)
    store = make(tmp_path)
    store.write(ids, data)
    blocks = list(store.blocks(ids[::-1]))
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 1]
    assert torch.equal(torch.cat(blocks), data.flip(0))
    assert list(store.blocks([])) == []


def test_each_shard_is_opened_once_however_often_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def spy(path: Path, framework: str) -> Any:
        opened.append(path)
        return safe_open(path, framework=framework)

    for i in range(5):
        make(tmp_path).write([f"{i}"], rows(1))
    monkeypatch.setattr(shard_module, "safe_open", spy)
    store = make(tmp_path)
    for i in range(5):
        assert store.missing([f"{i}"]) == []
    assert len(opened) == 5


def test_missing_keeps_order_and_sees_other_writers(tmp_path: Path) -> None:
    store = make(tmp_path)
    assert store.missing(["x", "y", "x"]) == ["x", "y"]
    make(tmp_path).write(["y"], rows(1))
    assert store.missing(["x", "y"]) == ["x"]


def test_a_store_that_is_in_use_travels_to_another_rank(tmp_path: Path) -> None:
    used = make(tmp_path)
    used.write(["a"], rows(1))
    assert used.missing(["a", "b"]) == ["b"]
    assert torch.equal(pickle.loads(pickle.dumps(used)).read(["a"]), used.read(["a"]))


def test_another_recipe_is_another_folder(tmp_path: Path) -> None:
    make(tmp_path, level=600).write(["a"], rows(1))
    assert make(tmp_path, level=601).missing(["a"]) == ["a"]


def test_digests_are_those_of_the_tensors(tmp_path: Path) -> None:
    data = rows(2)
    make(tmp_path).write(["a", "b"], data)
    assert make(tmp_path).digests(["b", "a"]) == [tensor_digest(data[1]), tensor_digest(data[0])]


def test_reading_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 are not there \(first: a\)"):
        make(tmp_path).read(["a"])


def test_nan_is_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    data = rows(2)
    data[1, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match="NaN or infinity for bad"):
        make(tmp_path).write(["good", "bad"], data)
    assert make(tmp_path).missing(["good", "bad"]) == ["good", "bad"]


@pytest.mark.parametrize("ids", [["a"], ["a", "a"]])
def test_ids_must_fit(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(UserError, match="one distinct id per tensor"):
        make(tmp_path).write(ids, rows(2))


def test_wrong_dtype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"dtype torch\.float32"):
        make(tmp_path).write(["a"], rows(1).double())


def test_unfinished_files_are_not_shards(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(["a"], rows(1))
    (store.folder / "shards" / ".half.safetensors.x.part").write_bytes(b"garbage")
    (store.folder / "shards" / ".half.safetensors").write_bytes(b"garbage")
    assert make(tmp_path).missing(["a", "half"]) == ["half"]


def test_files_have_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    atomic_write(tmp_path / "file", b"data")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="No space"):
        atomic_write(tmp_path / "x" / "file", b"data")
    assert list((tmp_path / "x").iterdir()) == []
    with pytest.raises(OSError, match="no folder can be made: '/proc/x'"):
        atomic_write(Path("/proc/x/file"), b"data")


def test_only_who_wants_the_same_sequence_waits(tmp_path: Path) -> None:
    store, again = make(tmp_path), make(tmp_path)
    with store.exclusive("a"), again.exclusive("b"), again.exclusive():
        for lock, held in (("lock-" + fingerprint("a"), True), ("lock-" + fingerprint("c"), False)):
            other = FileLock(store.folder / lock)
            with pytest.raises(Timeout) if held else nullcontext():
                other.acquire(timeout=0)


def _fill(root: Path, wins: "multiprocessing.SimpleQueue[int]") -> None:
    store = make(root)
    with store.exclusive():
        if store.missing(["a"]):
            store.write(["a"], rows(1))
            wins.put(os.getpid())


@pytest.mark.slow
def test_processes_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    wins = context.SimpleQueue()
    workers = [context.Process(target=_fill, args=(tmp_path, wins)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0, 0]
    wins.get()
    assert wins.empty()
