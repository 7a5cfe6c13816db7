"""Names as a person counts."""

import pytest

from ood_diffusion.domains.natural_order import natural_order


@pytest.mark.parametrize(
    "ordered",
    [
        ["img2.png", "img10.png", "img10a.png"],
        ["a/2.png", "a/10.png", "b/1.png"],
        ["1.png", "2.png", "a1.png", "a2.png"],
        ["001", "01", "1", "2"],  # equal numbers: plain order, wherever they were listed
        ["7.png", "9" * 5000 + ".png"],  # more digits than int() takes
        ["map.npy[9]", "map.npy[10]"],
    ],
)
def test_numbers_count_by_value(ordered: list[str]) -> None:
    assert natural_order(ordered) == natural_order(reversed(ordered)) == ordered
