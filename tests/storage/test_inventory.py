"""What lies in a store, which of it is damaged, and that nothing goes while it is used."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest
import torch

from ood_diffusion.runs.failure import occupied
from ood_diffusion.storage import inventory as module
from ood_diffusion.storage.inventory import damaged, inventory, remove, remove_rest
from ood_diffusion.storage.stores import Stores
from tests.storage.test_damage import IDS, cut, flipped, foreign, shard_of, zeroed
from tests.storage.test_store import make, rows


def test_what_is_there(tmp_path: Path) -> None:
    store = make(tmp_path, model={"weights": "abc"})
    store.write(IDS, rows(3))
    store.write(IDS[:1], rows(1))
    (tmp_path / "batch_sizes").mkdir()
    (tmp_path / "batch_sizes/x.json").write_text("{}")
    size, latents = inventory(tmp_path)
    assert (latents.kind, latents.items, latents.weights, latents.files) == ("latents", 3, "abc", 3)
    assert latents.address == store.folder.relative_to(tmp_path).as_posix()
    assert latents.size == sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())
    assert (size.kind, size.items, size.size, size.weights) == ("batch_sizes", None, 2, "")


@pytest.mark.parametrize("damage", [flipped, cut, zeroed, foreign])
def test_damage_is_named_and_left_where_it_is(damage: object, tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    assert list(damaged(store.folder)) == []
    shard = shard_of(store)
    assert callable(damage)
    damage(shard)
    ((name, why),) = damaged(store.folder)
    assert name == shard.name and why and shard.exists()
    os.replace(shard, f"{shard}.damaged")
    assert list(damaged(store.folder)) == []


def test_nothing_goes_while_a_run_uses_it(tmp_path: Path) -> None:
    make(tmp_path).write(IDS, rows(3))
    stores = [Stores(tmp_path, mode) for mode in ("reuse", "readonly")]
    for each in stores:
        assert each.open("latents", {}, torch.float32).missing(IDS) == []
    folder = make(tmp_path).folder
    for each in stores:
        assert not remove(folder) and folder.exists()
        each.close()
    assert remove(folder) and not folder.exists()
    assert remove(folder)


def test_who_writes_the_first_items_holds_the_store(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    assert not remove(store.folder)
    store.close()
    assert remove(store.folder)
    assert store.missing(IDS) == IDS
    store.write(IDS, rows(3))
    assert torch.equal(store.read(IDS), rows(3)) and not remove(store.folder)


def test_a_store_is_deleted_when_its_lock_is_closed_and_whole_although_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    store.close()

    def killed(folder: Path, ignore_errors: bool) -> None:
        with open(folder / "recipe.json", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it open
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(store.folder)
    monkeypatch.undo()
    assert not store.folder.exists() and make(tmp_path).missing(IDS) == IDS
    assert [(each.items, each.files) for each in inventory(tmp_path)] == [(None, 2)]
    remove_rest(tmp_path)
    assert inventory(tmp_path) == []


def test_a_store_that_is_a_link_stays(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    store.close()
    link = store.folder.with_name("link")
    link.symlink_to(store.folder)
    assert not remove(link) and link.is_symlink() and remove(store.folder)


def test_what_is_merged_while_it_is_verified_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(tmp_path)
    store.write(IDS, rows(3))
    found = module.on_disk(store.folder)
    monkeypatch.setattr(module, "on_disk", lambda folder: {"merged.safetensors": None, **found})
    assert list(damaged(store.folder)) == []
    flipped(shard_of(store))
    assert len(list(damaged(store.folder))) == 1


@pytest.mark.filterwarnings("ignore:flock not supported")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_work_goes_on_where_there_are_no_locks(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: object, how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with occupied(tmp_path):
        store = make(tmp_path)
        assert store.fill(IDS, lambda ids: store.write(ids, rows(3))) == 3
    store.close()
    assert torch.equal(make(tmp_path).read(IDS), rows(3)) and not remove(store.folder)
