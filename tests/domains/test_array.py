"""Physical maps become the right pixels, and come back."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ood_diffusion.checks import UserError
from ood_diffusion.domains.array import Array
from ood_diffusion.domains.arrays.maps import resized
from tests.domains.trees import keys, names

STACK = np.random.default_rng(0).lognormal(1, 1.5, (6, 16, 20)).astype(np.float32)


def saved(path: Path, values: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    return path


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return saved(tmp_path / "stack.npy", STACK)


@pytest.mark.parametrize(
    ("axes", "values"),
    [
        ("NHW", STACK),
        ("NHWC", STACK[..., None]),
        ("NCHW", STACK[:, None]),
        ("NHW", STACK[None, None]),  # leading axes of length 1 are dropped
        ("NHW", STACK.astype(">f8")),
        ("NHW", np.asfortranarray(STACK)),
    ],
)
def test_axes_and_storage_do_not_matter(
    axes: str, values: NDArray[np.generic], stack: Path, tmp_path: Path
) -> None:
    expected = Array(16, stack, "NHW", 0, 5000)
    domain = Array(16, saved(tmp_path / "other.npy", values), axes, 0, 5000)
    assert keys(domain) == keys(expected)
    assert torch.equal(domain.render("held_out", 1), expected.render("held_out", 1))


@pytest.mark.parametrize("axes", ["HW", "HWC", "CHW"])
def test_a_folder_holds_one_map_per_file(axes: str, stack: Path, tmp_path: Path) -> None:
    for i, values in enumerate(STACK):
        saved(
            tmp_path / "maps" / "deep" / f"{i}.npy",
            {"HW": values, "HWC": values[..., None]}.get(axes, values[None]),
        )
    domain = Array(16, tmp_path / "maps", axes, 0, 5000)
    assert keys(domain) == keys(Array(16, stack, "NHW", 0, 5000))


def test_split_folders_and_natural_order(tmp_path: Path) -> None:
    for i in range(11):
        saved(tmp_path / "maps" / ("train" if i < 11 - 2 else "val") / f"{i}.npy", STACK[:1] + i)
    domain = Array(16, tmp_path / "maps", "NHW", 0, 5000, seed=None)
    assert names(domain) == {
        "references": [f"train/{i}.npy[0]" for i in range(9)],
        "held_out": ["val/9.npy[0]", "val/10.npy[0]"],
    }


def test_without_a_seed_a_stack_keeps_its_order(stack: Path) -> None:
    domain = Array(16, stack, "NHW", 0, 5000, seed=None, limit=4)
    assert names(domain) == {
        "references": ["stack.npy[0]", "stack.npy[1]"],
        "held_out": ["stack.npy[2]", "stack.npy[3]"],
    }


@pytest.mark.parametrize("kind", ["linear", "log10", "asinh", "symlog"])
def test_values_come_back_to_float32(kind: str, stack: Path) -> None:
    domain = Array(16, stack, "NHW", 0.001, 3000, kind, seed=None)
    field = domain.render("references", 0)
    assert field.dtype == torch.float32 and field.shape == domain.shape == (1, 16, 16)
    back = domain.physical_scale.to_physical(field)[0].numpy()
    values = STACK[0][:, 2:18].astype(np.float64)
    slope = {"linear": 1500.0, "log10": 3.3 * math.log(10) * values}.get(kind, 3.0 * (values + 300))
    assert (np.abs(back - values) <= 2**-24 * slope + 1e-12).all(), "half of float32's last digit"


def test_the_mean_survives_resizing_and_the_scale_comes_after_it(stack: Path) -> None:
    domain = Array((4, 5), stack, "NHW", 0.001, 3000, "log10", seed=None)
    back = domain.physical_scale.to_physical(domain.render("references", 0)).numpy()
    assert np.allclose(back[0], STACK[0].reshape(4, 4, 5, 4).mean(axis=(1, 3)), rtol=1e-5)
    for sides in [(7, 9), (24, 30), (13, 5)]:
        part = resized(STACK.astype(np.float64), sides)
        rows, columns = sides
        height, width = min(16, 20 * rows / columns), min(20, 16 * columns / rows)
        if (height, width) == (16, 20):
            assert np.allclose(part.mean(axis=(1, 2)), STACK.mean(axis=(1, 2)), rtol=1e-6)
        assert part.shape == (6, *sides) and STACK.min() <= part.min() and part.max() <= STACK.max()


def test_each_channel_has_its_range_and_channels_are_chosen(tmp_path: Path) -> None:
    bands = np.random.default_rng(3).uniform(0, 1, (6, 5, 16, 16)) * 10.0 ** np.arange(5)[:, None, None]
    path = saved(tmp_path / "bands.npy", bands)
    high = [1.0, 10.0, 100.0, 1000.0, 10000.0]
    whole = Array(16, path, "NCHW", 0, high, seed=None)
    assert whole.shape == (5, 16, 16) and float(whole.render("references", 0).amax(dim=(1, 2)).min()) > 0.9
    some = Array(16, path, "NCHW", 0, [1, 1000], channels=[0, 3], seed=None)
    assert torch.equal(some.render("references", 1), whole.render("references", 1)[[0, 3]])
    grey = Array(16, path, "NCHW", 0, 1e5, channels="grey", seed=None)
    mean = grey.physical_scale.to_physical(grey.render("references", 0))
    assert np.allclose(mean[0], bands[0].mean(axis=0), rtol=1e-4)
    with pytest.raises(UserError, match=r"one for each of 5 channels"):
        Array(16, path, "NCHW", 0, [1e5, 1e5])
    with pytest.raises(UserError, match=r"must choose existing channels, but got '5 in .*from 0 to 4"):
        Array(16, path, "NCHW", 0, 1e5, channels=[5])
    with pytest.raises(UserError, match=r"domain\.channels=rgb must choose existing channels"):
        Array(16, path, "NCHW", 0, 1e5, channels="rgb")


def test_settings_are_part_of_the_key_and_the_path_is_not(stack: Path, tmp_path: Path) -> None:
    moved = saved(tmp_path / "elsewhere" / "a.npy", STACK)
    settings = [
        {"low": 0, "high": 5000},
        {"low": 0, "high": 5001},
        {"low": 0, "high": 5000, "scale": "asinh"},
        {"low": 0, "high": 5000, "scale": "asinh", "softening": 2.0},
        {"low": 0, "high": 5000, "channels": "rgb"},
        {"low": 0, "high": 5000, "fill": 0.0},
    ]
    assert len({Array(16, stack, "NHW", **s).key("references", 0) for s in settings}) == 6
    assert keys(Array(16, moved, "NHW", 0, 5000)) == keys(Array(16, stack, "NHW", 0, 5000))


def test_values_outside_are_counted_and_refused_or_clipped(stack: Path) -> None:
    low, high = (float(x) for x in np.quantile(STACK, [0.1, 0.95]))
    count = int(((low > STACK) | (high < STACK)).sum())
    place = r"in .*stack\.npy\[\d\] at \[channel, row, column\] \[0, \d+, \d+\]; all go from"
    with pytest.raises(UserError, match=rf"but got '{count} outside, in 6 maps; the first is .* {place}"):
        Array(16, stack, "NHW", low, high)
    domain = Array(16, stack, "NHW", low, high, outside="clip", seed=None)
    assert domain.record()["clipped"] == count
    field = domain.render("references", 0)
    assert float(field.min()) == -1.0 and float(field.max()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("scale", ["linear", "log10"])
def test_ends_of_float32_are_inside(scale: str, tmp_path: Path) -> None:
    ends = 0.01, 0.1
    assert float(np.float32(ends[0])) < ends[0] and float(np.float32(ends[1])) > ends[1]
    maps = np.random.default_rng(0).uniform(*ends, STACK.shape).astype(np.float32)
    maps[:, 0, 0], maps[:, -1, -1] = ends
    np.save(tmp_path / "maps.npy", maps)
    domain = Array(STACK.shape[1:], tmp_path / "maps.npy", "NHW", *ends, scale=scale, seed=None)
    field = domain.render("references", 0)
    assert (float(field.min()), float(field.max())) == (-1.0, 1.0)
    with pytest.raises(UserError, match="outside"):
        Array(STACK.shape[1:], tmp_path / "maps.npy", "NHW", ends[0] * (1 + 1e-6), ends[1], scale=scale)


def test_log10_of_nothing(tmp_path: Path) -> None:
    values = STACK.copy()
    values[1, 2, 3:5] = 0, -1
    path = saved(tmp_path / "a.npy", values)
    for low in (1e-6, "references"):
        with pytest.raises(UserError, match=r"2 outside, in 1 map; the first is 0 in .*\[0, 2, 3\]"):
            Array(16, path, "NHW", low, 1e6, "log10", seed=None)


def test_a_scale_is_learned_from_references_and_recorded(tmp_path: Path) -> None:
    values = STACK.copy()
    values[4, 2, :3] = 1e6
    ends, path = ("references", "references", "log10"), saved(tmp_path / "a.npy", values)
    domain = Array(16, path, "NHW", *ends, outside="clip", seed=None)
    record = domain.record()
    assert record["low"] == [float(STACK[:3].min())] and record["high"] == [float(STACK[:3].max())]
    beyond = int(((values[3:] < STACK[:3].min()) | (values[3:] > STACK[:3].max())).sum())
    assert record["clipped"] == beyond >= 3
    with pytest.raises(UserError, match=rf"but got '{beyond} outside"):
        Array(16, path, "NHW", *ends, seed=None)


def test_nan_are_filled_where_asked(tmp_path: Path) -> None:
    values = STACK.copy()
    values[:, 0, :] = np.nan
    path = saved(tmp_path / "a.npy", values)
    with pytest.raises(UserError, match=r"20 NaN or infinite in .* Set domain\.fill"):
        Array(16, path, "NHW", 0, 5000)
    field = Array(16, path, "NHW", 0, 5000, fill=0.0, seed=None).render("references", 0)
    assert bool((field[:, 0] == -1).all()) and bool((field[:, 1:] > -1).all())


def test_a_constant_channel_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.stack([STACK, 0 * STACK + 7], axis=1))
    for channels in (None, [1]):
        with pytest.raises(UserError, match=r"every channel must vary, but got '7 everywhere in channel 1"):
            Array(16, path, "NCHW", 0, 5000, channels=channels)


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int16, ">f4", ">i2"])
def test_every_type_of_number_is_read(kind: object, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, (4, 16, 16)).astype(kind)
    domain = Array(16, saved(tmp_path / "a.npy", values), "NHW", 0, 200, seed=None)
    back = domain.physical_scale.to_physical(domain.render("references", 0))
    assert np.allclose(back[0], values[0].astype(float), atol=2e-5)


def test_a_large_stack_is_never_read_as_a_whole(tmp_path: Path) -> None:
    stack = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.float32, (2**14, 512, 512))
    for i in range(4):
        stack[i] = i  # 16 GiB, all else holes
    domain = Array(16, tmp_path / "large.npy", "NHW", 0, 10, seed=None, limit=4)
    assert domain.size("references") == 2
    assert domain.render("held_out", 1).unique().tolist() == pytest.approx([-0.4])


def test_it_survives_pickling(stack: Path) -> None:
    domain = Array(16, stack, "NHW", 0, 5000)
    copy = pickle.loads(pickle.dumps(domain))
    assert torch.equal(copy.render("references", 0), domain.render("references", 0))


@pytest.mark.parametrize("decades", [3, 6])
def test_what_a_step_costs_is_recorded_in_dex(decades: int, tmp_path: Path) -> None:
    """Resizing keeps the mean of linear values; after the stretch it would lose per cents of them."""
    maps = 10 ** np.random.default_rng(0).uniform(-decades / 2, decades / 2, (6, 40, 56))
    np.save(tmp_path / "maps.npy", maps)
    ends = 10 ** (-decades / 2), 10 ** (decades / 2)
    domain = Array(16, tmp_path / "maps.npy", "NHW", *ends, scale="log10")
    cost = domain.record()["cost"]
    assert cost["cut"] == pytest.approx(1 - 40 / 56)
    assert abs(cost["resize"]) < 1e-12 and cost["scale"] < 1e-6 * decades
    assert (cost["unit"], cost["n"]) == ("dex", 3)
    assert domain.physical_scale is not None
    mean = domain.physical_scale.to_physical(domain.render("references", 0)).mean()
    index = int(domain.name("references", 0).partition("[")[2][:-1])
    assert float(mean) == pytest.approx(maps[index, :, 8:48].mean(), rel=1e-6)
    stretched = resized(np.log10(maps[index : index + 1]), (16, 16))
    assert (10**stretched).mean() < 0.8 * float(mean)
