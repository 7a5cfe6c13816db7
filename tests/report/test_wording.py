import numpy as np
import pytest

from ood_diffusion.report.wording import number, percent, spread


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (39.8123, "39.81"),
        (1843.2, "1,843"),
        (4120, "4,120"),
        (-0.00013, "−0.00013"),
        (600.0, "600"),
        (np.float32(0.5), "0.5"),
        (np.int64(4120), "4,120"),
        (None, "—"),
        (float("nan"), "—"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_words_are_left_alone() -> None:
    assert number("-dash first") == "-dash first"


def test_percent_and_spread() -> None:
    assert percent(0.0155) == "1.55 %"
    assert percent(1.0) == "100 %"
    assert spread(108.05, 1.7149) == "108.05 ±\u00a01.71"
    assert spread(86.3, None, "°") == "86.3°"
    assert spread(2.0, 0.0) == "2"
    assert spread(89.03, 1.5e-14, " dB") == "89.03 dB"  # equal values, whose mean was rounded
    assert spread(0.02, 0.00017) == "0.020000 ±\u00a00.000170"
    assert spread(3.4567e-8, 1.2345e-9, " dex") == "3.457e-08 ±\u00a01.23e-09 dex"
    assert spread(-5.0, 1e-12) == "−5 ±\u00a01e-12"
    assert spread(None, 1.0) == "—"
