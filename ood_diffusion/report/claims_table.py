"""Claims on the terminal and on the page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.report.claim_words import checks_of, interval, says, verdicts

STYLES = {"supported": "green", "not supported": "bold red", "inconclusive": "yellow"}
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}
MAX_BYTES = 300_000
"""Larger pictures stay beside the page."""


@dataclass(frozen=True)
class ClaimRow:
    """One check, ready to be shown; `picture` is a data URI, `file` its name; both may be empty."""

    claim: str
    says: str
    figure: str
    found: str
    against: str
    against_found: str
    verdict: str
    why: str
    picture: str
    file: str


def claim_rows(results: Mapping[str, Any], folder: Path) -> list[ClaimRow]:
    """The checks of a run whose pictures lie in `folder`; a picture stands with the first that names it."""
    rows, shown = [], set()
    for check in checks_of(results):
        file = check["picture"]
        rows.append(
            ClaimRow(
                check["claim"],
                says(check),
                check["figure"],
                interval(check["found"]),
                check["against"],
                interval(check["against_found"]),
                check["verdict"],
                check.get("why", ""),
                "" if file in shown else data_uri(folder / file),
                file,
            )
        )
        shown.add(file)
    return rows


@dataclass(frozen=True)
class StagePlot:
    """A plot that a stage has written; `picture` is a data URI, empty where `file` cannot be on a page."""

    section: str
    file: str
    picture: str


def stage_plots(results: Mapping[str, Any], folder: Path) -> list[StagePlot]:
    """The files that sections name under "plots", but those that stand with a check already."""
    with_checks = {check["picture"] for check in checks_of(results)}
    return [
        StagePlot(name.replace("_", " "), file, data_uri(folder / file))
        for name, section in results.items()
        if isinstance(section, Mapping)
        for file in section.get("plots", ())
        if file not in with_checks
    ]


def data_uri(path: Path) -> str:
    """The picture as a data URI; empty if there is none, or it is too large for a page."""
    if path.suffix not in KINDS or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return ""
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def claims_table(results: Mapping[str, Any]) -> Table:
    """A row per check, with its figures; a claim begins with its words and its overall verdict."""
    table = Table(box=box.SIMPLE_HEAD, title="Claims", title_style="bold", title_justify="left")
    for name, width in {"": 58, "found [95 %]": 24, "compared with": 44, "verdict": 13}.items():
        table.add_column(name, max_width=width)
    summary, last = verdicts(results), ""
    for check in checks_of(results):
        claim, why = check["claim"], check.get("why", "")
        if claim != last:
            words = Text(f"{claim}  {says(check)}", style="bold")
            table.add_section()
            table.add_row(words, "", "", Text(summary[claim], style=STYLES[summary[claim]]))
        table.add_row(
            Text(f"  {check['figure']}"),
            Text(interval(check["found"])),
            Text(f"{check['against']}: {interval(check['against_found'])}{why and f'; {why}'}"),
            Text(check["verdict"], style=STYLES[check["verdict"]]),
        )
        last = claim
    return table
