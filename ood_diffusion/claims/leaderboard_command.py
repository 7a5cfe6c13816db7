"""`ood-diffusion leaderboard FOLDER …`: the ways to propose latents, ranked over all runs."""

import re
from collections.abc import Sequence

from rich.text import Text

from ood_diffusion.checks import require
from ood_diffusion.claims.leaderboard import can_be_ranked, heads, leaderboards
from ood_diffusion.optional import optional
from ood_diffusion.report.collect.arguments import asked_for
from ood_diffusion.report.collect.rows import find, shown
from ood_diffusion.report.collect.table_file import write_rows
from ood_diffusion.report.figures import save
from ood_diffusion.report.leaderboard_table import file_rows, forest, screen_table
from ood_diffusion.report.wide import print_fitting, screen
from ood_diffusion.report.wording import FID_WARNING


def leaderboard(arguments: Sequence[str]) -> bool:
    """Write and print the boards of the runs below the folders that the command line names.

    Returns:
        Whether every run is complete.

    Raises:
        UserError: if there is no such folder, no run in it that can be ranked, or no way to write the output
            as it is named.
    """
    folders, output, wide = asked_for(
        "leaderboard",
        "Rank prior, sampler and selection by FID, over all runs below a folder and over seeds. Exit status "
        "0 if all runs are complete, else 1.",
        arguments,
    )
    found = find(*folders)
    boards, told = leaderboards(list(found.runs.values())), heads(list(found.runs.values()))
    require(
        bool(boards),
        "leaderboard needs runs with the stage evaluate",
        "; ".join([", ".join(map(str, folders)), *found.shortfalls()[1:]]),
        "Run it first.",
    )
    rows = [
        row
        for (model, domain), standings in boards.items()
        for row in file_rows(model, domain, standings, told)
    ]
    write_rows(rows, output)
    console = screen()
    for (model, domain), standings in boards.items():
        table = screen_table(f"{domain}, drawn by {model}", standings, told)
        print_fitting(console, table, ("rank", "sampler", "FID ↓"), wide)
        name = re.sub(r"[^\w.-]+", "_", f"leaderboard_{model}_{domain}")
        with optional(f"draw {name}.svg"):
            save(output.with_name(f"{name}.svg"), forest(standings))
    console.print(
        Text(
            "=: not distinguishable from the best whose images are mostly new. ±: half the 95 % interval, "
            "for other draws, held-out images and seeds, with these references."
        )
    )
    for label, run in found.runs.items():
        if not (run.damage or run.error or can_be_ranked(run)):
            line = f"left out: {shown(label)}: no FID of samples with an interval"
            console.print(Text(line), soft_wrap=True)
    console.print(Text("\n".join(found.shortfalls())), soft_wrap=True)
    if {"extractor", "n_samples", "n_held_out"} & {name for row in rows for name in row}:
        console.print(Text(FID_WARNING))
    console.print(Text(f"Table: {shown(output)}, a plot per board beside it"), soft_wrap=True)
    return found.complete
