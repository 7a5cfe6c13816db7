"""What a run or a sweep would cost, printed before anything is spent."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ood_diffusion.report.collect.run_folder import RunFolder, differing, word
from ood_diffusion.report.plan.words import estimates, failures, span, sums
from ood_diffusion.report.plan.work import Plan, spent, total
from ood_diffusion.report.wide import print_wide, screen
from ood_diffusion.report.wording import counted, number


def print_plan(plans: Mapping[Path, Plan], console: Console | None = None) -> None:
    """Print runs, banks, calls and an estimate of the time.

    Args:
        plans: the run's folder -> its plan, in the order in which they would run.
        console: where to.
    """
    console = console or screen()
    print_wide(console, run_table(plans))
    if any(plan.bank for plan in plans.values()):
        print_wide(console, bank_table(list(plans.values())))
    for line in [*sums(list(plans.values())), *estimates(list(plans.values()))]:
        console.print(Text(line), soft_wrap=True)
    for note in dict.fromkeys(note for plan in plans.values() for note in plan.notes):
        console.print(Text(f"Note: {note}."), soft_wrap=True)
    for i, reason in failures(list(plans.values())).items():
        console.print(Text(f"Run {i} would fail: {reason}", style="red"), soft_wrap=True)
    console.print(Text("Dry run: nothing was computed."))


def run_table(plans: Mapping[Path, Plan]) -> Table:
    """Runs as rows: the coordinates that differ, the bank, and the calls still to be made by stage."""
    folders, costs = [RunFolder(path) for path in plans], spent(plans.values())
    names, stages = differing(folders), list(dict.fromkeys(stage for cost in costs for stage in cost))
    table = titled(f"Network calls to do, {counted(len(plans), 'run')}")
    for name in ["run", *names, "bank"]:
        table.add_column(name)
    for stage in stages:
        table.add_column(stage, justify="right")
    for i, (folder, plan, cost) in enumerate(zip(folders, plans.values(), costs, strict=True)):
        where = [word(folder.coordinate(name)) for name in names]
        calls = [span(cost[stage]) if stage in cost else "" for stage in stages]
        table.add_row(*(Text(entry) for entry in (str(i), *where, short(plan.bank), *calls)))
    table.add_section()
    sums = [span(total({stage: cost[stage]} for cost in costs if stage in cost)) for stage in stages]
    table.add_row("all", *("" for _ in names), "", *sums)
    return table


def bank_table(plans: Sequence[Plan]) -> Table:
    """Banks as rows: how many latents, how many are on disk, which runs share them."""
    table = titled("Banks of latents")
    for name in ("bank", "latents", "in the store", "runs"):
        table.add_column(name, justify="left" if name in ("bank", "runs") else "right")
    for bank in dict.fromkeys(plan.bank for plan in plans if plan.bank):
        sharing = {i: plan.needs[bank] for i, plan in enumerate(plans) if plan.bank == bank}
        latents = {item: there for found in sharing.values() for item, there in found.items()}
        table.add_row(short(bank), number(len(latents)), number(sum(latents.values())), ranges(list(sharing)))
    return table


def titled(title: str) -> Table:
    """An empty table in the style of all others."""
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE)


def short(folder: str) -> str:
    """The beginning of a store's name."""
    return folder.rpartition("/")[2][:8]


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers with runs drawn together: "0-2, 5"."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
