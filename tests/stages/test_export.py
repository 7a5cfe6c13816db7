"""What export leaves alone."""

from pathlib import Path

import numpy as np
import pytest

from ood_diffusion.checks import UserError
from ood_diffusion.stages.export import export, write_zarr

VALUES = np.arange(24.0, dtype=np.float32).reshape(2, 1, 3, 4)


def test_a_zarr_store_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    with pytest.raises(UserError, match=r"a zarr store must be new, but got .*data'. Name another --output"):
        write_zarr(tmp_path / "data", "samples", VALUES, {})
    assert (tmp_path / "data" / "precious").exists()


def test_a_zarr_store_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
    with pytest.raises(TypeError):
        write_zarr(tmp_path / "new" / "a.zarr", "samples", VALUES, {"seed": object()})
    assert list((tmp_path / "new").iterdir()) == []
    write_zarr(tmp_path / "new" / "a.zarr", "samples", VALUES, {"seed": 1})
    stored = zarr.open(tmp_path / "new" / "a.zarr")["samples"]
    assert np.array_equal(stored[:], VALUES) and stored.attrs["seed"] == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.zarr"]


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(b"precious")
    for there in (tmp_path / "mine.npy", tmp_path, Path("/dev/full")):
        with pytest.raises(UserError, match="--output must be new"):
            export([str(tmp_path), f"--output={there}"])
    assert (tmp_path / "mine.npy").read_bytes() == b"precious"
