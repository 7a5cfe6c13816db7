"""Array files of every kind, sound and unsound: each mistake is named before anything is computed."""

import io
import multiprocessing
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from astropy.io import fits
from numpy.typing import NDArray

from ood_diffusion.checks import UserError
from ood_diffusion.domains.array import Array
from ood_diffusion.domains.base import SPLITS
from tests.domains.trees import keys, names

STACK = np.random.default_rng(0).uniform(1, 9, (4, 16, 16)).astype(np.float32)


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, list[str]]:
    np.save(tmp_path / "expected.npy", STACK)
    return keys(Array(16, tmp_path / "expected.npy", "NHW", 0, 10))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(save: Callable[..., None], expected: dict[str, list[str]], tmp_path: Path) -> None:
    save(tmp_path / "maps.npz", clouds=STACK)
    assert keys(Array(16, tmp_path / "maps.npz", "NHW", 0, 10)) == expected
    save(tmp_path / "maps.npz", clouds=STACK, dust=2 * STACK)
    assert keys(Array(16, tmp_path / "maps.npz", "NHW", 0, 10, entry="clouds")) == expected
    for entry in (None, "stars"):
        with pytest.raises(UserError, match=rf"domain\.entry must .*got {entry!r}.* clouds, dust\."):
            Array(16, tmp_path / "maps.npz", "NHW", 0, 10, entry=entry)


def test_an_npz_is_read_again_when_it_has_changed(expected: dict[str, list[str]], tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", clouds=STACK + 1)
    assert keys(Array(16, tmp_path / "maps.npz", "NHW", 0, 10)) != expected
    np.savez(tmp_path / "maps.npz", clouds=STACK)
    assert keys(Array(16, tmp_path / "maps.npz", "NHW", 0, 10)) == expected


@pytest.mark.parametrize("compressed", [False, True])
def test_fits(compressed: bool, expected: dict[str, list[str]], tmp_path: Path) -> None:
    path = tmp_path / ("maps.fits.fz" if compressed else "maps.fits")
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    lossless = {"compression_type": "GZIP_1", "quantize_level": 0} if compressed else {}
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])])
    clouds, dust = kind(STACK, name="CLOUDS", **lossless), kind(2 * STACK, name="DUST", **lossless)
    fits.HDUList([fits.PrimaryHDU(), clouds, table]).writeto(path)
    assert keys(Array(16, path, "NHW", 0, 10)) == expected
    fits.HDUList([fits.PrimaryHDU(), clouds, dust]).writeto(path, overwrite=True)
    assert keys(Array(16, path, "NHW", 0, 10, entry="CLOUDS")) == expected
    assert keys(Array(16, path, "NHW", 0, 10, entry=1)) == expected
    with pytest.raises(
        UserError, match=r"must name one array of .*got None\. Set it to one of: 1 \(CLOUDS\), 2 \(DUST\)\."
    ):
        Array(16, path, "NHW", 0, 10)
    with pytest.raises(
        UserError, match=r"must be an array of .*got 'STARS'\. There are: 1 \(CLOUDS\), 2 \(DUST\)\."
    ):
        Array(16, path, "NHW", 0, 10, entry="STARS")


def write_hdf5(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def write_zarr(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
    group = zarr.open_group(path, mode="w")
    for name, array in arrays.items():
        group.create_array(name, data=array, chunks=(1, *array.shape[1:]))


@pytest.mark.parametrize(("name", "write"), [("maps.h5", write_hdf5), ("maps.zarr", write_zarr)])
def test_hdf5_and_zarr(
    name: str,
    write: Callable[[Path, dict[str, NDArray[Any]]], None],
    expected: dict[str, list[str]],
    tmp_path: Path,
) -> None:
    write(tmp_path / name, {"maps/clouds": STACK})
    assert keys(Array(16, tmp_path / name, "NHW", 0, 10)) == expected
    write(tmp_path / name, {"maps/clouds": STACK, "dust": 2 * STACK})
    assert keys(Array(16, tmp_path / name, "NHW", 0, 10, entry="maps/clouds")) == expected
    for entry in (None, "stars"):
        with pytest.raises(
            UserError, match=rf"domain\.entry must .*got {entry!r}.*dust.*maps/clouds|clouds, dust"
        ):
            Array(16, tmp_path / name, "NHW", 0, 10, entry=entry)
    write(tmp_path / name, {"text": np.ones((4, 10), dtype=complex)})
    with pytest.raises(UserError, match=f"an array must hold integers or floats, but got .*{name}"):
        Array(16, tmp_path / name, "NHW", 0, 10)


def test_an_hdf5_file_is_opened_once_in_each_process(
    expected: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened, real = tmp_path / "maps.h5", [], h5py.File
    write_hdf5(path, {"clouds": STACK})
    monkeypatch.setattr(h5py, "File", lambda *how: opened.append(os.getpid()) or real(*how))
    domain = Array(16, path, "NHW", 0, 10)
    assert keys(domain) == expected and len(opened) == 1
    before = domain.render("held_out", 1)
    child = partial(renders_in_a_child, domain, before)
    process = multiprocessing.get_context("fork").Process(target=child)  # which inherits the open file
    process.start()
    process.join()
    assert process.exitcode == 0
    assert torch.equal(domain.render("held_out", 1), before) and len(opened) == 1
    assert torch.equal(pickle.loads(pickle.dumps(domain)).render("held_out", 1), before)
    assert len(opened) == 2
    del domain, child, process
    write_hdf5(path, {"clouds": STACK + 1})  # nobody has it open any more
    assert keys(Array(16, path, "NHW", 0, 10)) != expected


def renders_in_a_child(domain: Array, expected: torch.Tensor) -> None:
    sys.exit(not torch.equal(domain.render("held_out", 1), expected))


def test_a_zarr_may_be_one_array_and_damage_is_named(expected: dict[str, list[str]], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr", reason="zarr 3 needs Python 3.11")
    zarr.save_array(tmp_path / "one.zarr", STACK)
    assert keys(Array(16, tmp_path / "one.zarr", "NHW", 0, 10)) == expected
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    for name in ("empty.zarr", "bad.h5"):
        with pytest.raises(UserError, match=name):
            Array(16, tmp_path / name, "NHW", 0, 10)


def test_borders_of_nan_are_cut_off(expected: dict[str, list[str]], tmp_path: Path) -> None:
    bordered = np.full((4, 21, 19), np.nan, dtype=np.float32)
    bordered[:, 3:19, 1:17] = STACK
    np.save(tmp_path / "maps.npy", bordered)
    domain = Array(16, tmp_path / "maps.npy", "NHW", 0, 10, crop=[3, 2, 1, 2])
    clean = Array(16, tmp_path / "expected.npy", "NHW", 0, 10)
    drawn, wanted = (
        sorted(str(each.render(split, i)) for split in SPLITS for i in range(2)) for each in (domain, clean)
    )
    assert drawn == wanted and domain.record()["crop"] == [3, 2, 1, 2]
    with pytest.raises(UserError, match=r"crop NaN borders with domain\.crop"):
        Array(16, tmp_path / "maps.npy", "NHW", 0, 10)
    with pytest.raises(UserError, match=r"domain\.crop must be null or four numbers of pixels"):
        Array(16, tmp_path / "maps.npy", "NHW", 0, 10, crop=[3])
    with pytest.raises(UserError, match=r"at least .* pixels on each side.*domain\.crop"):
        Array(16, tmp_path / "maps.npy", "NHW", 0, 10, crop=[20, 20, 0, 0])


def test_names_of_fits_images_ignore_case_and_must_be_of_one(
    expected: dict[str, list[str]], tmp_path: Path
) -> None:
    sci, err = (fits.ImageHDU(factor * STACK, name=name) for factor, name in ((1, "SCI"), (2, "ERR")))
    other = fits.ImageHDU(3 * STACK, name="SCI", ver=2)
    path = tmp_path / "maps.fits"
    fits.HDUList([fits.PrimaryHDU(), sci, err]).writeto(path)
    for entry in ("sci", "Sci", " SCI "):
        assert keys(Array(16, path, "NHW", 0, 10, entry=entry)) == expected
    fits.HDUList([fits.PrimaryHDU(), sci, err, other]).writeto(path, overwrite=True)
    with pytest.raises(UserError, match=r"one image of .*got 'sci'\. HDUs 1 and 3 have that name: give the"):
        Array(16, path, "NHW", 0, 10, entry="sci")
    assert keys(Array(16, path, "NHW", 0, 10, entry=1)) == expected


def test_files_named_after_splits_are_splits(tmp_path: Path) -> None:
    np.save(tmp_path / "Train.npy", STACK)
    np.save(tmp_path / "test.npy", STACK[:2] / 2)
    found = names(Array(16, tmp_path, "NHW", 0, 10))
    assert {split: sorted(of_split) for split, of_split in found.items()} == {
        "references": [f"Train.npy[{i}]" for i in range(4)],
        "held_out": [f"test.npy[{i}]" for i in range(2)],
    }


def test_the_record_of_maps(tmp_path: Path) -> None:
    np.save(tmp_path / "maps.npy", STACK)
    (tmp_path / "maps.fits.gz").touch()
    os.mkfifo(tmp_path / "pipe.fits")
    record = Array(16, tmp_path, "NHW", 2, 10, outside="clip").record()
    assert record["passed_over"] == {".fits.gz": 1, "pipes and devices": 1}
    assert (record["low"], record["high"], record["files"]) == ([2.0], [10.0], 4)
    assert record["data_range"] == [[float(STACK.min())], [float(STACK.max())]]
    assert record["clipped"] == int((STACK < 2).sum())


def test_scaled_fits_integers_are_what_astropy_says(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(np.arange(4 * 16 * 16, dtype=np.int16).reshape(4, 16, 16) % 300)
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.5, 10.0
    hdu.writeto(tmp_path / "scaled.fits")
    np.save(tmp_path / "plain.npy", fits.getdata(tmp_path / "scaled.fits"))
    a, b = (Array(16, tmp_path / name, "NHW", 0, 200) for name in ("scaled.fits", "plain.npy"))
    assert keys(a) == keys(b)


def test_blank_fits_pixels_are_refused(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(np.arange(512, dtype=np.int16).reshape(2, 16, 16))
    hdu.header["BLANK"] = 300
    hdu.writeto(tmp_path / "a.fits")
    with pytest.raises(
        UserError,
        match=r"'1 NaN or infinite in .*a\.fits\[1\], at .*column\] \[\[0, 2, 12\]\]'",
    ):
        Array(16, tmp_path / "a.fits", "NHW", 0, 600)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_file_and_index(value: float, tmp_path: Path) -> None:
    broken = STACK.copy()
    broken[2, 5, 7] = value
    np.save(tmp_path / "a.npy", broken)
    with pytest.raises(
        UserError, match=r"finite values, but got '1 NaN or infinite in .*a\.npy\[2\], .*\[\[0, 5, 7\]\]'"
    ):
        Array(16, tmp_path / "a.npy", "NHW", 0, 10)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(STACK))


def truncated(path: Path) -> None:
    np.save(path.with_suffix(".npy"), STACK)
    whole = path.with_suffix(".npy").read_bytes()
    path.with_suffix(".npy").unlink()
    path.write_bytes(whole[:-100])


def truncated_fits(path: Path) -> None:
    fits.PrimaryHDU(STACK).writeto(path)
    path.write_bytes(path.read_bytes()[:5000])


def truncated_npz(path: Path) -> None:
    np.savez(path, STACK)
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("a.npy", pickled, "the magic string is not correct"),
        ("a.npy", truncated, "mmap length is greater than file size"),
        ("a.npy", Path.touch, "EOF"),
        ("a.npz", pickled, "File is not a zip file"),
        ("a.npz", truncated_npz, "File is not a zip file"),
        ("a.fits", pickled, "No SIMPLE card found"),
        ("a.fits", Path.touch, "Empty or corrupt FITS file"),
        ("a.fits", truncated_fits, "cannot reshape array"),
    ],
)
@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_damaged_files_are_named(name: str, make: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError, match=rf"data must be readable, but got {tmp_path}/{name} \(.*{why}"):
        Array(16, tmp_path, "NHW", 0, 10)


def claims_more_than_it_holds(path: Path, dtype: str = "f4") -> None:
    header = {"descr": dtype, "fortran_order": False, "shape": (2**40,)}
    with io.BytesIO() as file:
        np.lib.format.write_array_header_1_0(file, header)
        whole = file.getvalue() + STACK.tobytes()
    if path.suffix == ".npy":
        path.write_bytes(whole)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("maps.npy", whole)


@pytest.mark.parametrize("dtype", ["f4", "O"])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_header_is_not_believed(name: str, dtype: str, tmp_path: Path) -> None:
    claims_more_than_it_holds(tmp_path / name, dtype)
    with pytest.raises(UserError, match=rf"data must be readable, but got {tmp_path}/{name} \("):
        Array(16, tmp_path / name, "NHW", 0, 10)


@pytest.mark.parametrize("dtype", [object, complex, bool, "U3", [("x", "f4")]])
@pytest.mark.parametrize("save", [np.save, np.savez])
def test_only_numbers_are_read_and_no_pickle(
    dtype: object, save: Callable[..., None], tmp_path: Path
) -> None:
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, np.zeros((4, 16, 16), dtype))  # type: ignore[arg-type]
    numbers = r"must hold integers or floats, .*type .* in .*a\.np"
    objects = r"data must be readable, but got .*a\.np.*([Oo]bject|memory-mapped)"
    with pytest.raises(UserError, match=objects if dtype is object else numbers):
        Array(16, path, "NHW", 0, 10)


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("HW", (4, 16, 16), r"domain\.axes=HW must name the axes .*got 'shape \(4, 16, 16\) in .*a\.npy'"),
        ("NCHW", (4, 16, 16), r"domain\.axes=NCHW must name the axes"),
        ("NHW", (0, 16, 16), r"must hold values, but got 'the empty shape \(0, 16, 16\) in .*a\.npy'"),
        ("NHW", (4, 16, 7), r"at least 8 pixels on each side, but got '7 x 16 pixels in .*a\.npy\[\d\]'"),
        ("NWH", (4, 16, 16), r"domain\.axes must be one of: CHW, HW, HWC, NCHW, NHW, NHWC, but got 'NWH'"),
    ],
)
def test_axes_must_fit_the_array(axes: str, shape: tuple[int, ...], message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(shape))
    with pytest.raises(UserError, match=message):
        Array(16, tmp_path / "a.npy", axes, 0, 10)


def test_numbers_of_channels_do_not_mix(tmp_path: Path) -> None:
    for channels in (1, 3):
        np.save(tmp_path / f"{channels}.npy", np.ones((16, 16, channels)))
    with pytest.raises(UserError, match=r"as many channels as the first, 1, but got '3 in .*3\.npy'"):
        Array(16, tmp_path, "HWC", 0, 10)


def test_an_npz_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ood_diffusion.domains.arrays.npy.MAX_MEMBER_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", maps=STACK)
    with pytest.raises(
        UserError, match=r"must unpack to at most 1000 bytes, but got '4224 bytes in .*a\.npz\[maps\]"
    ):
        Array(16, tmp_path / "a.npz", "NHW", 0, 10)


def test_entry_is_not_for_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK)
    with pytest.raises(UserError, match=r"holds one array, but got 'domain\.entry=clouds'"):
        Array(16, tmp_path / "a.npy", "NHW", 0, 10, entry="clouds")


def test_other_files_are_no_maps(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2 3")
    for path in (tmp_path, tmp_path / "a.txt"):
        with pytest.raises(
            UserError, match=rf"array file or a folder of them \(\.npy .*\.fits .*\), but got '{path}"
        ):
            Array(16, path, "NHW", 0, 10)


def test_one_map_is_not_enough_and_copies_count_once(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([STACK[0]] * 3))
    with pytest.raises(UserError, match=r"at least 2 different images.*got '1 in .*a\.npy'"):
        Array(16, tmp_path / "a.npy", "NHW", 0, 10)


def test_the_same_map_in_both_splits_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        np.save(tmp_path / split / "a.npy", STACK[0])
    with pytest.raises(
        UserError, match=r"must not share a picture, .*content in train/a\.npy and val/a\.npy'"
    ):
        Array(16, tmp_path, "HW", 0, 10)


def test_without_astropy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits.PrimaryHDU(STACK).writeto(tmp_path / "a.fits")
    monkeypatch.setitem(__import__("sys").modules, "astropy.io.fits", None)
    with pytest.raises(UserError, match=r'needs the package astropy.*pip install "ood-diffusion\[fits\]"'):
        Array(16, tmp_path / "a.fits", "NHW", 0, 10)
