import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ood_diffusion.report.sections import Entry, metric_table, plus_minus
from ood_diffusion.report.table import print_summary
from tests.report.fake import results


def printed(words: object, width: int = 80) -> str:
    stream = io.StringIO()
    print_summary(words, Path("/runs/a/report.html"), Console(file=stream, width=width))  # type: ignore[arg-type]
    return stream.getvalue()


def test_the_summary_fits_80_columns_and_says_what_counts() -> None:
    text = printed(results())
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for word in (
        "FID ↓",
        "Features: efficientnet_lite0.",
        "143.3",
        "64 vs 512",
        "39.81 ± 2.13 dB",
        "1.55 %",
    ):
        assert word in text
    assert "Weights before and after: equal." in text and "/runs/a/report.html" in text


def with_intervals() -> Any:
    words = results()
    words["metrics"]["intervals"] = {
        name: {
            "fid": {"value": found["fid"], "low": found["fid"] - 12.34, "high": found["fid"] + 12.34},
            "kid": {"value": found["kid"], "low": found["kid"] - 0.00456, "high": found["kid"] + 0.00456},
            "precision": {"value": found["precision"], "low": 0.1, "high": 0.9},
        }
        for name, found in words["metrics"]["sets"].items()
    }
    return words


def test_intervals_are_beside_their_figures_and_still_fit() -> None:
    text = printed(with_intervals())
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for word in ("143 ± 12", "0.0318 ± 0.0046", "half the 95 % interval"):
        assert word in text
    assert "half the 95 % interval" not in printed(results())


def test_a_share_keeps_both_ends_of_its_interval() -> None:
    (row,) = [row for row in metric_table(with_intervals(), "report").rows if row.name == "precision"]
    assert row.entries[0] == Entry("0.6875", "0.10 to 0.90")


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [(105.64, 4.13, "105.6 ± 4.1"), (1234.5, 45.6, "1,234 ± 46"), (-0.001, 0.0042, "−0.0010 ± 0.0042"),
     (7.5, 0.0, "7.5")],
)  # fmt: skip
def test_half_an_interval_decides_the_digits(value: float, half: float, text: str) -> None:
    assert plus_minus([value, value - half, value + half]).replace("\u00a0", " ") == text


def test_markup_in_names_is_shown_not_obeyed() -> None:
    words = results()
    words["coordinates"]["domain"] = "[red]galaxies[/red]"
    assert "[red]galaxies[/red]" in printed(words)


def test_an_empty_run_prints_an_empty_table() -> None:
    assert "report.html" in printed({})


def test_changed_weights_are_shouted() -> None:
    assert "NOT EQUAL" in printed({"weights": {"before": "a", "after": "b"}})
