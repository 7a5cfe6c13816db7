"""Data sets of the `datasets` library, from local files: nothing is downloaded."""

import pickle
from pathlib import Path

import datasets
import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.domains.hub_dataset import HubDataset
from ood_diffusion.domains.image_folder import ImageFolder
from tests.domains.trees import keys, names, write


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(6):
        write(tmp_path / "images" / f"{i}.png", i)
    return tmp_path / "images"


@pytest.fixture
def parquet(folder: Path, tmp_path: Path) -> Path:
    files = [str(file) for file in sorted(folder.iterdir())]
    columns = {"picture": datasets.Image(), "number": datasets.Value("int64")}
    rows = {"picture": files, "number": range(6)}
    path = tmp_path / "hub" / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    datasets.Dataset.from_dict(rows, datasets.Features(columns)).to_parquet(path)
    return path


def test_the_pictures_are_those_of_the_folder(folder: Path, parquet: Path) -> None:
    expected = ImageFolder(16, folder)
    for name, column in ((folder, "image"), (parquet, "picture"), (parquet.parents[1], "picture")):
        domain = HubDataset(16, str(name), column=column)
        assert keys(domain) == keys(expected)
        copy = pickle.loads(pickle.dumps(domain))
        assert torch.equal(copy.render("held_out", 1), expected.render("held_out", 1))


def test_without_a_seed_rows_keep_their_order(parquet: Path) -> None:
    domain = HubDataset(16, str(parquet), column="picture", seed=None, limit=4)
    assert names(domain) == {"references": ["0", "1"], "held_out": ["2", "3"]}


def test_a_slice_of_a_split(parquet: Path) -> None:
    assert HubDataset(16, str(parquet), split="train[:50%]", column="picture").size("references") == 2


def test_a_missing_column_lists_those_that_are_there(parquet: Path) -> None:
    with pytest.raises(
        UserError, match=r"must be a column of .*\[train\], but got 'image'\. .*: picture, number\."
    ):
        HubDataset(16, str(parquet))


def test_a_column_without_images(parquet: Path) -> None:
    with pytest.raises(UserError, match=r"domain\.column must hold images, but got 'number'.*int64"):
        HubDataset(16, str(parquet), column="number")


def test_subsets_of_a_data_set(folder: Path, parquet: Path) -> None:
    card = parquet.parents[1] / "README.md"
    card.write_text(
        "---\nconfigs:\n- config_name: small\n  data_files: data/*.parquet\n"
        "- config_name: large\n  data_files: data/*.parquet\n---\n"
    )
    domain = HubDataset(16, str(card.parent), subset="small", column="picture")
    assert keys(domain) == keys(ImageFolder(16, folder))
    with pytest.raises(
        UserError, match=r"pick one among .*\['small', 'large'\].*Check name, subset and split\.$"
    ):
        HubDataset(16, str(card.parent), column="picture")


def test_a_missing_split(parquet: Path) -> None:
    with pytest.raises(UserError, match=r"with the split 'val'.*Should be one of \['train'\]"):
        HubDataset(16, str(parquet), split="val", column="picture")


def test_offline_it_says_how_to_bring_the_data() -> None:
    with pytest.raises(UserError, match=r"can be reached.*hf download nobody/nothing --repo-type dataset"):
        HubDataset(16, "nobody/nothing")


def test_a_row_that_holds_no_image_is_named(parquet: Path) -> None:
    broken = datasets.Dataset.from_dict({"picture": [{"bytes": b"text", "path": None}, None]})
    broken.cast_column("picture", datasets.Image()).to_parquet(parquet)
    with pytest.raises(UserError, match=r"parquet\[train\] row 0 \(none of the image formats that are read"):
        HubDataset(16, str(parquet), column="picture", seed=None)
    empty = datasets.Dataset.from_dict({"picture": [None]}, datasets.Features({"picture": datasets.Image()}))
    empty.to_parquet(parquet)
    with pytest.raises(UserError, match=r"parquet\[train\] row 0 \(no image\)"):
        HubDataset(16, str(parquet), column="picture")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match=r'needs the package datasets.*pip install "ood-diffusion\[hub\]"'):
        HubDataset(16, "nobody/nothing")
