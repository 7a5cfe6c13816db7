"""`ood-diffusion store`: what it lists, what it finds damaged, and what it never deletes."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.report.store_command import bytes_word, store
from ood_diffusion.storage.store import TensorStore
from tests.report.fake import cell, results
from tests.storage.test_damage import flipped, shard_of

NETWORK = {"model": {"weights": "feed" * 8}}


def made(root: Path, kind: str, **recipe: Any) -> TensorStore:
    store = TensorStore(root / "outputs/store", kind, recipe, torch.float32)
    store.write(["a", "b"], torch.ones(2, 4))
    store.close()
    return store


def address(store: TensorStore) -> str:
    return f"{store.folder.parent.name}/{store.folder.name}"


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, TensorStore]:
    """What one run needs, what another one does, what both do, and what none does."""
    monkeypatch.chdir(tmp_path)
    found = {name: made(tmp_path, "latents", name=name, **NETWORK) for name in ("one", "other", "none")}
    found["both"] = made(tmp_path, "features")
    for name in ("one", "other"):
        its = results() | {"stores": [address(found[name]), address(found["both"])]}
        its["weights"] = dict.fromkeys(("before", "after"), NETWORK["model"]["weights"])
        cell(tmp_path / f"outputs/runs/{name}", found=its)
    return found


def there(stores: dict[str, TensorStore]) -> set[str]:
    return {name for name, each in stores.items() if each.folder.exists()}


def test_ls_and_du(stores: dict[str, TensorStore], capsys: pytest.CaptureFixture[str]) -> None:
    assert store(["ls", "--wide"])
    lines = {line.split()[1]: line.split() for line in capsys.readouterr().out.splitlines() if "cats" in line}
    told = {name: lines[each.folder.name] for name, each in stores.items() if each.folder.name in lines}
    assert {name: (line[0], line[2], line[7]) for name, line in told.items()} == {
        "one": ("latents", "2", "1"),
        "other": ("latents", "2", "1"),
        "none": ("latents", "2", "0"),
        "both": ("features", "2", "2"),
    }
    assert all("cats-64" in line for line in told.values()) and "galaxies" in told["both"]
    assert store(["du"])
    *_, every = (line for line in capsys.readouterr().out.splitlines() if line.split())
    assert every.split()[:3] == ["all", "4", "8"]


def test_prune_is_dry_until_it_is_told(
    stores: dict[str, TensorStore], capsys: pytest.CaptureFixture[str]
) -> None:
    assert store(["prune"]) and there(stores) == {"one", "other", "both", "none"}
    said = capsys.readouterr().out
    assert stores["none"].folder.name in said and stores["one"].folder.name not in said
    assert "No run needs: 1 stores" in said
    assert store(["prune", "--yes"]) and there(stores) == {"one", "other", "both"}
    assert "Deleted: 1 stores" in capsys.readouterr().out


def test_a_run_that_is_given_up_takes_only_what_no_other_needs(stores: dict[str, TensorStore]) -> None:
    assert store(["prune", "--run", "outputs/runs/one", "--yes"])
    assert there(stores) == {"other", "both"}
    assert store(["prune", "--run", "outputs/runs", "--yes"]) and there(stores) == set()


def test_age_and_model_choose(stores: dict[str, TensorStore]) -> None:
    for name in ("one", "other"):
        shutil.rmtree(f"outputs/runs/{name}")
    with pytest.raises(UserError, match="prune needs the folder of the runs that use the store"):
        store(["prune", "--yes"])
    cell(Path("outputs/runs/later"), found=results() | {"stores": []})
    for path in stores["one"].folder.rglob("*"):
        os.utime(path, (0, 0))
    store(["prune", "--older-than", "30d", "--yes"])
    assert there(stores) == {"other", "both", "none"}
    store(["prune", "--model", "feed", "--yes"])
    assert there(stores) == {"both"}


def test_what_a_run_uses_stays(stores: dict[str, TensorStore], capsys: pytest.CaptureFixture[str]) -> None:
    stores["none"].missing(["a"])
    assert not store(["prune", "--yes"]) and "none" in there(stores)
    assert f"kept: {address(stores['none'])}: a run uses it" in capsys.readouterr().out


def test_runs_that_do_not_say_what_they_need_keep_everything(stores: dict[str, TensorStore]) -> None:
    cell(Path("outputs/runs/older"), found=results())
    with pytest.raises(UserError, match=r"1 runs that do not say so \(first: outputs/runs/older\)"):
        store(["prune", "--yes"])
    assert len(there(stores)) == 4
    assert store(["prune", "--run", "outputs/runs/older", "--yes"]) and "none" not in there(stores)
    shutil.rmtree("outputs/runs/older")
    cell(Path("outputs/runs/begun"))  # and nothing computed: it needs nothing
    assert store(["prune"])


def test_verify_names_what_is_damaged(
    stores: dict[str, TensorStore], capsys: pytest.CaptureFixture[str]
) -> None:
    assert store(["verify"]) and "8 items in 4 stores verified, 0 shards" in capsys.readouterr().out
    shard = shard_of(stores["one"])
    flipped(shard)
    assert not store(["verify"]) and shard.exists()
    said = capsys.readouterr().out
    assert f"damaged: {shard.relative_to(Path.cwd())}: the content of b is not what was written" in said
    assert "1 shards damaged" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "--store", "nowhere"], "store needs a folder that exists, but got 'nowhere'"),
        (["prune", "--runs", "nowhere"], "--runs must be a folder that exists, but got 'nowhere'"),
        (["prune", "--run", "nowhere"], "--run must be a folder of runs, but got 'nowhere'"),
        (["prune", "--older-than", "month"], "--older-than must be a number of days, but got 'month'"),
        (["prune", "--model", "dogs"], "--model must be one of: cats-64, but got 'dogs'"),
    ],
)
@pytest.mark.usefixtures("stores")
def test_mistakes(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        store(arguments)


@pytest.mark.parametrize("words", [[], ["rm"]])
def test_an_unknown_action_is_answered_as_argparse_does(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        store(words)
    assert ended.value.code == 2


def test_sizes() -> None:
    assert [bytes_word(n) for n in (0, 999, 1500, 2_340_000, 5 * 10**12)] == [
        *("0 B", "999 B", "1.5 kB", "2.34 MB", "5,000 GB")
    ]
