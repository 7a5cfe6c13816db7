"""What lies in a store, which of it is damaged, and that nothing goes while it is used."""

import os
from pathlib import Path

import pytest
import torch

from ood_diffusion.storage.inventory import damaged, inventory, remove
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
    assert [name for name, _ in damaged(store.folder)] == [f"{shard.name}.damaged"]


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
