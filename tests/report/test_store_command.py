"""`ood-diffusion store`: what it lists, what it finds damaged, and what it never deletes."""

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.report import store_command
from ood_diffusion.report.collect.run_files import NOT_BEGUN
from ood_diffusion.report.collect.run_folder import walk
from ood_diffusion.report.store_command import bytes_word, needs_of, store
from ood_diffusion.storage.store import TensorStore
from tests.report.fake import STAGES, results, write_run
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
        write_run(tmp_path / f"outputs/runs/{name}", found=its)
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
    assert "No run needs: 1 store, " in said
    assert store(["prune", "--yes"]) and there(stores) == {"one", "other", "both"}
    assert "Deleted: 1 store, " in capsys.readouterr().out


def test_a_run_that_is_given_up_takes_only_what_no_other_needs(stores: dict[str, TensorStore]) -> None:
    assert store(["prune", "--run", "outputs/runs/one", "--yes"])
    assert there(stores) == {"other", "both"}
    assert store(["prune", "--run", "outputs/runs", "--yes"]) and there(stores) == set()


def test_age_and_model_choose(stores: dict[str, TensorStore]) -> None:
    for name in ("one", "other"):
        shutil.rmtree(f"outputs/runs/{name}")
    with pytest.raises(UserError, match="prune needs the folder of the runs that use the store"):
        store(["prune", "--yes"])
    write_run(Path("outputs/runs/later"), found=results() | {"stores": []})
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
    write_run(Path("outputs/runs/older"), found=results())
    with pytest.raises(UserError, match=r"1 run of which that is unknown \(first: outputs/runs/older\)"):
        store(["prune", "--yes"])
    assert len(there(stores)) == 4
    assert store(["prune", "--run", "outputs/runs/older", "--yes"]) and "none" not in there(stores)
    shutil.rmtree("outputs/runs/older")
    write_run(Path("outputs/runs/plan"), dry_run=True)
    write_run(Path("outputs/runs/refused"), error=f"expected more\n{NOT_BEGUN}")
    assert store(["prune"])


@pytest.mark.parametrize("end", ["begun", "interrupted", "failed", "started again"])
def test_runs_that_are_not_complete_keep_everything(end: str, stores: dict[str, TensorStore]) -> None:
    its = results() | {"stores": [address(stores["none"])]}
    folder = Path("outputs/runs/more")
    write_run(
        folder,
        found=None if end in ("begun", "started again") else its | {"stores": []},
        stages=(*STAGES, "report"),
        error="broken" if end == "failed" else "",
        dry_run=end == "started again",
    )
    if end == "started again":
        (folder / "results.previous.json").write_text(json.dumps(its))
    with pytest.raises(UserError, match=r"1 run of which that is unknown \(first: outputs/runs/more\)"):
        store(["prune", "--yes"])
    needed = needs_of(Path("outputs"), Path("outputs/store")).used_by
    assert (address(stores["none"]) in needed) == (end == "started again")
    assert len(there(stores)) == 4
    assert store(["prune", "--run", str(folder), "--yes"]) and "none" not in there(stores)


def test_runs_that_cannot_be_seen_keep_everything(
    stores: dict[str, TensorStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = Path("aside")
    aside.mkdir()
    shutil.move("outputs/runs/one", aside / "one")
    link = Path("outputs/runs/linked")
    link.symlink_to(aside.absolute())
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 place that .* \(first: outputs/runs/linked\)"):
            store(["prune", "--yes"])
        aside = aside.rename(f"no{aside}")  # the second time it is a link to nothing
    aside.rename("aside")
    assert store(["prune", "--run", str(link)])
    link.unlink()
    link.symlink_to(Path("outputs/runs/other").absolute())  # which is seen
    Path("outputs/store").rename("scratch")
    Path("outputs/store").symlink_to(Path("scratch").absolute())  # no runs
    assert store(["prune"])
    walked = dataclasses.replace(walk(Path("outputs")), unreadable={Path("outputs/closed"): "denied"})
    monkeypatch.setattr(store_command, "walk", lambda folder: walked)
    with pytest.raises(UserError, match=r"first: outputs/closed"):
        store(["prune"])


def test_what_a_killed_prune_left_goes(stores: dict[str, TensorStore]) -> None:
    left = stores["none"].folder.with_name(".going-x")
    stores["none"].folder.rename(left)
    assert store(["verify"]) and store(["prune"]) and left.exists()
    assert store(["prune", "--yes"]) and not left.exists() and len(there(stores)) == 3


def test_verify_names_what_is_damaged(
    stores: dict[str, TensorStore], capsys: pytest.CaptureFixture[str]
) -> None:
    assert store(["verify"]) and "8 items in 4 stores verified, 0 shards" in capsys.readouterr().out
    shard = shard_of(stores["one"])
    flipped(shard)
    assert not store(["verify"]) and shard.exists()
    said = capsys.readouterr().out
    assert f"damaged: {shard.relative_to(Path.cwd())}: the content of b is not what was written" in said
    assert "1 shard damaged" in said
    os.replace(shard, aside := f"{shard}.damaged")  # as the next run does, which makes its items again
    assert store(["verify"])
    assert f"set aside by a run, nothing needs it: {os.path.relpath(aside)}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "--store", "nowhere"], "store needs a folder that exists, but got 'nowhere'"),
        (["ls", "--store", "."], "--store must be a folder of stores, but got '.'"),
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
