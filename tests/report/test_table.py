import io
from pathlib import Path

from rich.console import Console

from ood_diffusion.report.table import print_summary
from tests.report.fake import results


def printed(words: object, width: int = 80) -> str:
    stream = io.StringIO()
    print_summary(words, Path("/runs/a/report.html"), Console(file=stream, width=width))  # type: ignore[arg-type]
    return stream.getvalue()


def test_the_summary_fits_80_columns_and_says_what_counts() -> None:
    text = printed(results())
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for word in ("FID ↓ (efficientnet_lite0)", "143.3", "64 vs 512", "39.81 ± 2.13 dB", "64 of 4,120"):
        assert word in text
    assert "Weights before and after: equal." in text and "/runs/a/report.html" in text


def test_markup_in_names_is_shown_not_obeyed() -> None:
    words = results()
    words["cell"]["domain"] = "[red]galaxies[/red]"
    assert "[red]galaxies[/red]" in printed(words)


def test_an_empty_cell_prints_an_empty_table() -> None:
    assert "report.html" in printed({})


def test_changed_weights_are_shouted() -> None:
    assert "NOT EQUAL" in printed({"weights": {"before": "a", "after": "b"}})
