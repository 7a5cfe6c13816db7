"""Claims on the page and on the terminal."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ood_diffusion.report.claim_words import CLAIMS, checks_of, interval, overall, verdicts
from ood_diffusion.report.claims_table import claim_rows, claims_table


def check(claim: str, verdict: str, picture: str = "") -> dict[str, Any]:
    found = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    against = {"value": 1.0, "low": 1.0, "high": 1.0, "n": 0}
    return {
        "claim": claim,
        "figure": f"figure of {claim}",
        "found": found,
        "against": "a limit",
        "against_found": against,
        "verdict": verdict,
        "why": "too few" if verdict == "inconclusive" else "",
        "picture": picture,
    }


RESULTS: Any = {
    "coordinates": {"model": "cats_64"},
    "few_shot": {"checks": [check("C9", "supported")]},
    "analyse": {"checks": [check("C1", "supported", "a.svg"), check("C1", "inconclusive", "a.svg")]},
}


@pytest.mark.parametrize(
    ("found", "whole"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "inconclusive", "not supported"], "not supported"),
        ([], "inconclusive"),
    ],
)
def test_one_denial_decides_and_one_doubt_leaves_it_open(found: Any, whole: str) -> None:
    assert overall(found) == whole


def test_checks_come_in_the_order_of_the_claims() -> None:
    assert [c["claim"] for c in checks_of(RESULTS)] == ["C1", "C1", "C9"]
    assert verdicts(RESULTS) == {"C1": "inconclusive", "C9": "supported"}
    assert list(CLAIMS)[:10] == [f"C{i}" for i in range(1, 11)]  # C10 not after C1


def test_an_interval_is_shown_only_where_there_is_one() -> None:
    assert interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.5 [0.25, 0.75]"
    assert interval({"value": 2, "low": 2, "high": 2}) == "2"
    assert interval({"value": None, "low": None, "high": None}) == "—"


def test_a_picture_is_embedded_once(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg/>")
    rows = claim_rows(RESULTS, tmp_path)
    assert [row.picture.startswith("data:image/svg+xml;base64,") for row in rows] == [True, False, False]
    assert rows[0].found == "0.5 [0.25, 0.75]" and rows[0].against_found == "1"


def test_the_terminal_says_every_verdict() -> None:
    console = Console(width=160, record=True, quiet=False)
    console.print(claims_table(RESULTS))
    text = " ".join(console.export_text().split())
    assert "; too few" in text.replace(" │ ", " ")
    assert text.count("inconclusive") == 2 and "figure of C9" in text and CLAIMS["C9"] in text
