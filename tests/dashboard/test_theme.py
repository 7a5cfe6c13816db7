"""Colours: contrast, and whether people without colour vision tell them apart."""

from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from ood_diffusion.dashboard.charts import BRIGHT
from ood_diffusion.dashboard.theme import DARK, LIGHT, SHAPES, Theme

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
Array = Any


def linear(colour: str) -> Array:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Array) -> Array:
    x = TO_XYZ @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@THEMES
def test_text_and_marks_have_contrast(theme: Theme) -> None:
    for behind in (theme.page, theme.card):
        for colour in (theme.ink, theme.soft, theme.accent, theme.bad):
            assert contrast(colour, behind) >= 4.5, (colour, behind)
        assert contrast(theme.edge, behind) >= 3
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    for colour in theme.series:
        assert contrast(colour, theme.card) >= 4.5, colour


@THEMES
@pytest.mark.parametrize("vision", VISION)
def test_categories_differ_without_colour_vision(theme: Theme, vision: str) -> None:
    seen = [lab(np.array(VISION[vision]) @ linear(colour)) for colour in theme.series]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 10  # 2.3 is just noticeable


def test_colours_and_shapes_come_back_together_late() -> None:
    assert len(SHAPES) == len(LIGHT.series) + 1 == len(DARK.series) + 1


def test_text_on_tiles_has_contrast() -> None:
    scale = mpl.colormaps["cividis"]
    for shade in np.linspace(0, 1, 51):
        tile = mpl.colors.to_hex(scale(shade))
        assert contrast(tile, "#000000" if shade >= BRIGHT else "#ffffff") >= 4.3, shade
