"""`ood-diffusion claims FOLDER`: the verdicts of many runs side by side, and what only many runs can say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.report.claim_words import CLAIMS, checks_of, interval, says, verdicts
from ood_diffusion.report.claims_table import STYLES
from ood_diffusion.report.collect.arguments import asked_for
from ood_diffusion.report.collect.rows import Line, find, shown
from ood_diffusion.report.collect.run_folder import RunFolder, coordinate_word, differing
from ood_diffusion.report.collect.table_file import write_rows
from ood_diffusion.report.wide import print_fitting, screen
from ood_diffusion.study.bandwidth.verdict import across_domains


def claims(arguments: Sequence[str]) -> bool:
    """Print and write the checks of every run below the folders that the command line names.

    Returns:
        Whether every run is complete; a claim that does not hold is a finding, not a failure.

    Raises:
        UserError: if there is no such folder, or no run in it has tested a claim.
    """
    folders, output, wide = asked_for(
        "claims",
        "The verdicts on the paper's claims of all runs below a folder, side by side. Exit status 0 if all "
        "runs are complete, whatever they found, else 1.",
        arguments,
    )
    found = find(*folders)
    runs = {label: run for label, run in found.runs.items() if any(checks_of(run.results))}
    require(
        bool(runs),
        "claims needs a folder with runs that have tested claims",
        "; ".join([", ".join(map(str, folders)), *found.shortfalls()[1:]]),
        "Run `ood-diffusion experiment=claims` first.",
    )
    write_rows([row for label, run in runs.items() for row in rows(label, run)], output)
    console = screen()
    print_fitting(console, verdict_table(list(runs.values())), ("claim",), wide)
    if (check := across_domains([run.results for run in runs.values()])) is not None:
        line = f"{check.claim} over all runs: {check.figure}: {interval(vars(check.found))}; {check.verdict}"
        console.print(Text(line), soft_wrap=True)
    console.print(Text("\n".join(found.shortfalls())), soft_wrap=True)
    console.print(Text(f"Table: {shown(output)}"), soft_wrap=True)
    return found.complete


def rows(label: str, run: RunFolder) -> list[Line]:
    """One flat row per check of a run."""
    where = run.results.get("coordinates", {})
    return [
        {
            "folder": shown(label),
            "model": where.get("model"),
            "domain": where.get("domain"),
            "claim": check["claim"],
            "figure": check["figure"],
            **bounds("", check["found"]),
            "against": check["against"],
            **bounds("against_", check["against_found"]),
            "verdict": check["verdict"],
            "why": check.get("why", ""),
        }
        for check in checks_of(run.results)
    ]


def bounds(prefix: str, estimate: Mapping[str, Any]) -> dict[str, float | None]:
    """An estimate's value and interval under names of their own."""
    return {f"{prefix}{key}": estimate[key] for key in ("value", "low", "high")}


def verdict_table(runs: Sequence[RunFolder]) -> Table:
    """Claims as rows, runs as columns, each headed by what distinguishes it."""
    names = [name for name in differing(runs) if name in ("model", "domain", "level", "seed")] or ["domain"]
    table = Table(box=box.SIMPLE)
    table.add_column("claim")
    for run in runs:
        path = run.coordinate("domain.path")
        where = [coordinate_word(run, name) for name in names]
        table.add_column(Text("\n".join([*where, *([Path(str(path)).stem] if path else [])])))
    found = [verdicts(run.results) for run in runs]
    own = {check["claim"]: says(check) for run in runs for check in checks_of(run.results)}
    for claim, words_of in (CLAIMS | own).items():
        if any(claim in of_run for of_run in found):
            words = [of_run.get(claim, "") for of_run in found]
            texts = [Text(verdict, style=STYLES.get(verdict, "")) for verdict in words]
            table.add_row(Text(f"{claim}  {words_of}"), *texts)
    return table
