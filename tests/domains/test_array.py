"""Physical maps become the right pixels, and come back."""

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.domains.array import Array
from ood_diffusion.simulators.radiation.colour_map import to_rgb
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
    expected = Array(16, stack, "NHW", 0, 50)
    domain = Array(16, saved(tmp_path / "other.npy", values), axes, 0, 50)
    assert keys(domain) == keys(expected)
    assert torch.equal(domain.render("held_out", 1), expected.render("held_out", 1))


@pytest.mark.parametrize("axes", ["HW", "HWC", "CHW"])
def test_a_folder_holds_one_map_per_file(axes: str, stack: Path, tmp_path: Path) -> None:
    for i, values in enumerate(STACK):
        saved(
            tmp_path / "maps" / "deep" / f"{i}.npy",
            {"HW": values, "HWC": values[..., None]}.get(axes, values[None]),
        )
    domain = Array(16, tmp_path / "maps", axes, 0, 50)
    assert keys(domain) == keys(Array(16, stack, "NHW", 0, 50))


def test_split_folders_and_natural_order(tmp_path: Path) -> None:
    for i in range(11):
        saved(tmp_path / "maps" / ("train" if i < 11 - 2 else "val") / f"{i}.npy", STACK[:1] + i)
    domain = Array(16, tmp_path / "maps", "NHW", 0, 50, seed=None)
    assert names(domain) == {
        "references": [f"train/{i}.npy[0]" for i in range(9)],
        "held_out": ["val/9.npy[0]", "val/10.npy[0]"],
    }


def test_without_a_seed_a_stack_keeps_its_order(stack: Path) -> None:
    domain = Array(16, stack, "NHW", 0, 50, seed=None, limit=4)
    assert names(domain) == {
        "references": ["stack.npy[0]", "stack.npy[1]"],
        "held_out": ["stack.npy[2]", "stack.npy[3]"],
    }


def test_pixels_are_stretched_cut_and_resized_by_pillow(stack: Path) -> None:
    domain = Array(10, stack, "NHW", 0.1, 100, stretch="log10", seed=None)
    shown = np.log10(np.clip(STACK[0], 0.1, 100)) / 3 + 1 / 3
    resized = Image.fromarray(shown.astype(np.float32)).resize(
        (10, 10), Image.Resampling.BICUBIC, box=(2, 0, 18, 16)
    )
    expected = np.rint(255 * np.clip(np.asarray(resized), 0, 1))
    picture = domain.render("references", 0)
    assert picture.dtype == torch.uint8 and picture.shape == (3, 10, 10) and picture.is_contiguous()
    assert (picture.double() - torch.from_numpy(expected)).abs().max() == 0
    coloured = Array(10, stack, "NHW", 0.1, 100, "log10", "inferno", seed=None).render("references", 0)
    assert torch.equal(coloured, to_rgb(torch.from_numpy(np.asarray(resized).copy())))


def test_integers_of_full_range_pass_bit_for_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    domain = Array(16, saved(tmp_path / "rgb.npy", values), "NHWC", 0, 255, seed=None)
    assert np.array_equal(domain.render("references", 0).permute(1, 2, 0), values[0])
    assert torch.equal(
        domain.to_physical(domain.render("references", 1)), torch.from_numpy(values[1]).movedim(2, 0).float()
    )


@pytest.mark.parametrize("colours", ["grey", "inferno"])
@pytest.mark.parametrize(
    ("stretch", "bound"),
    [
        ("linear", lambda v: 99.9 / 510 + 0 * v),
        ("log10", lambda v: v * (1000 ** (1 / 510) - 1)),
        ("sqrt", lambda v: 2 * np.sqrt(99.9 * (v - 0.1)) / 510 + 99.9 / 510**2),
        ("asinh", lambda v: np.hypot(0.1 * 99.9, v - 0.1) * np.expm1(np.arcsinh(10) / 510)),
    ],
)
def test_values_come_back_to_half_a_step(stretch: str, bound, colours: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(0.1, 100, (4, 16, 16))
    domain = Array(16, saved(tmp_path / "maps.npy", values), "NHW", 0.1, 100, stretch, colours, seed=None)
    pictures = torch.stack([domain.render("references", i) for i in range(2)])
    back = domain.to_physical(pictures)
    assert back.dtype == torch.float32 and back.shape == (2, 16, 16)
    assert (np.abs(back.numpy() - values[:2]) <= bound(values[:2]) + 1e-4).all()
    assert torch.equal(domain.to_physical(pictures[0].float()), back[0])


def test_unequal_channels_of_a_generated_grey_picture_are_averaged(stack: Path) -> None:
    picture = torch.tensor([10, 20, 60], dtype=torch.uint8)[:, None, None].expand(3, 8, 8)
    assert Array(16, stack, "NHW", 0, 255).to_physical(picture).unique().tolist() == [30.0]


def test_settings_are_part_of_the_key_and_the_path_is_not(stack: Path, tmp_path: Path) -> None:
    moved = saved(tmp_path / "elsewhere" / "a.npy", STACK)
    settings = [
        (0, 50, "linear", "grey"),
        (0, 51, "linear", "grey"),
        (0, 50, "sqrt", "grey"),
        (0, 50, "linear", "inferno"),
    ]
    assert len({Array(16, stack, "NHW", *s).key("references", 0) for s in settings}) == 4
    assert keys(Array(16, moved, "NHW", 0, 50)) == keys(Array(16, stack, "NHW", 0, 50))


def test_clipped_values_are_counted(stack: Path, caplog: pytest.LogCaptureFixture) -> None:
    low, high = np.quantile(STACK, [0.1, 0.95])
    with caplog.at_level(logging.WARNING):
        Array(16, stack, "NHW", float(low), float(high))
    (line,) = caplog.messages
    assert (
        line.startswith("Clipped values: 10 % lie below domain.low=")
        and " and 5 % above domain.high=" in line
    )
    caplog.clear()
    Array(16, stack, "NHW", 0, 1e6)
    assert not caplog.messages


def test_a_range_in_another_unit_is_refused(stack: Path) -> None:
    with pytest.raises(
        UserError, match=r"must enclose values of the data, but got '1e\+06 to 1e\+07, while the data go"
    ):
        Array(16, stack, "NHW", 1e6, 1e7)


def test_a_large_stack_is_never_read_as_a_whole(tmp_path: Path) -> None:
    stack = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.float32, (2**14, 512, 512))
    for i in range(4):
        stack[i] = i  # 16 GiB, all else holes
    domain = Array(16, tmp_path / "large.npy", "NHW", 0, 10, seed=None, limit=4)
    assert domain.size("references") == 2 and domain.render("held_out", 1).unique().tolist() == [76]


def test_it_survives_pickling(stack: Path) -> None:
    domain = Array(16, stack, "NHW", 0, 50)
    copy = pickle.loads(pickle.dumps(domain))
    assert torch.equal(copy.render("references", 0), domain.render("references", 0))
    assert torch.equal(
        copy.to_physical(copy.render("references", 0)), domain.to_physical(domain.render("references", 0))
    )
