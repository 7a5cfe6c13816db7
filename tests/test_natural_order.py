"""Names as a person counts."""

import pytest

from ood_diffusion.natural_order import natural_order


@pytest.mark.parametrize(
    "ordered",
    [
        ["img2.png", "img10.png", "img10a.png"],
        ["a/2.png", "a/10.png", "b/1.png"],
        ["1.png", "2.png", "a1.png", "a2.png"],
        ["001", "01", "1", "2"],  # equal numbers: plain order, wherever they were listed
        ["7.png", "9" * 5000 + ".png"],  # more digits than int() takes
        ["map.npy[9]", "map.npy[10]"],
        ["B", "a", "z", "e\u0301", "\u00ea"],  # by code point, accents composed first
        ["a3", "a\u00b2", "a\u0663"],  # digits of other scripts are letters
    ],
)
def test_numbers_count_by_value(ordered: list[str]) -> None:
    assert sorted(ordered[::-1], key=natural_order) == sorted(ordered, key=natural_order) == ordered
