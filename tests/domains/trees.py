"""Tiny data sets on disk, in every form that a source reads."""

import zipfile
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from ood_diffusion.domains.base import SPLITS
from ood_diffusion.domains.collection import Collection


def write(path: Path, seed: int) -> Path:
    """Noise, 24 x 20 pixels, as an image file; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def zipped(folder: Path, archive: Path, top: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(folder.rglob("*"), reverse=True):
            out.write(file, top + file.relative_to(folder).as_posix())
    return archive


def database(folder: Path, path: Path) -> Path:
    """The files of a folder as an LMDB, in the manner of LSUN: hashes as keys."""
    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=2**20) as out, out.begin(write=True) as transaction:
        for i, file in enumerate(sorted(folder.rglob("*.*"))):
            transaction.put(f"{i:040x}".encode(), file.read_bytes())
    return path


def keys(domain: Collection) -> dict[str, list[str]]:
    return {split: [domain.key(split, i) for i in range(domain.size(split))] for split in SPLITS}


def names(domain: Collection) -> dict[str, list[str]]:
    return {split: [domain.name(split, i) for i in range(domain.size(split))] for split in SPLITS}


def all_names(domain: Collection) -> set[str]:
    return {name for part in names(domain).values() for name in part}
