"""What every domain of conf/domain reads, laid out as its YAML says, and what the user must state."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from tests.domains.trees import database, write, zipped

STACK = np.random.default_rng(0).lognormal(0, 2, (4, 16, 16)).astype(np.float32)


def images(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write(folder / name, seed)
    return folder


def afhq(data: Path) -> None:
    kinds = ("cat", "dog", "wild")
    images(
        data / "afhq",
        *[f"{s}/{kind}/flickr_{i}.jpg" for s in ("train", "val") for kind in kinds for i in range(2)],
    )


def celeba_hq(data: Path) -> None:
    kinds = ("female", "male")
    images(
        data / "celeba_hq",
        *[f"{s}/{kind}/00{i}.jpg" for s in ("train", "val") for kind in kinds for i in range(2)],
    )


def lsun(data: Path) -> None:
    source = images(data / "exported", *[f"{i}.webp" for i in range(4)])
    for category in ("church_outdoor", "bedroom"):
        database(source, data / "lsun" / f"{category}_train_lmdb")
    shutil.rmtree(source)


def galaxy_zoo(data: Path) -> None:
    images(data / "images_gz2", *[f"images/{i}.jpg" for i in range(4)])
    (data / "images_gz2" / "__MACOSX").mkdir()
    (data / "images_gz2" / "__MACOSX" / "._0.jpg").write_bytes(b"resource fork")


def sketches(data: Path) -> None:
    images(data / "sketch", *[f"n0144076{i}/sketch_{i}.JPEG" for i in range(4)])


def radiation_field(data: Path) -> None:
    (data / "radiation_field").mkdir()
    for i in range(2):
        fits.PrimaryHDU(STACK[i]).writeto(data / "radiation_field" / f"cloud_{i}.fits")
        np.save(data / "radiation_field" / f"cloud_{i + 2}.npy", STACK[i + 2])


TREES: dict[str, Callable[[Path], None]] = {
    "afhq_cat": afhq,
    "afhq_dog": afhq,
    "afhq_wild": afhq,
    "celebahq": celeba_hq,
    "galaxy_zoo": galaxy_zoo,
    "lsun_bedroom": lsun,
    "lsun_church": lsun,
    "radiation_field": radiation_field,
    "sketches": sketches,
}
"""The named data sets: what lies below ``${data}``."""


def prepared(name: str, folder: Path) -> list[str]:
    """Make the data below `folder`; returns the overrides with which ``domain=name`` finds them."""
    if name in TREES:
        TREES[name](folder)
        return [f"data={folder}"]
    mine = images(folder / "mine", *[f"{i}.png" for i in range(4)])
    np.save(folder / "mine.npy", STACK)
    stated = {
        "image_folder": [f"path={mine}"],
        "image_zip": [f"path={zipped(mine, folder / 'mine.zip')}"],
        "hub_dataset": [f"name={mine}"],
        "array": [f"path={folder / 'mine.npy'}", "axes=NHW", "low=0", "high=10000"],
        "model_samples": ["steps=2"],  # no data: only to be quick
        "own_samples": ["steps=2"],
    }
    return [f"domain.{setting}" for setting in stated.get(name, [])]
