"""`ood-diffusion store ls|du|verify|prune`: what the store holds, which runs need it, and what can go."""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.checks import UserError, require
from ood_diffusion.report.collect.rows import status
from ood_diffusion.report.collect.run_files import PREVIOUS, Unreadable, parse_results, read
from ood_diffusion.report.collect.run_folder import RunFolder, walk
from ood_diffusion.report.results import SCHEMA, Results
from ood_diffusion.report.wide import Screen, print_fitting, screen
from ood_diffusion.report.wording import MISSING, counted, number
from ood_diffusion.storage.holding import RECIPE
from ood_diffusion.storage.inventory import GOING, Held, damaged, inventory, remove, remove_rest

DAY = 86_400
UNITS = ("B", "kB", "MB", "GB")


@dataclass(frozen=True)
class Needs:
    """What runs need of the store.

    Args:
        used_by: address of a store -> folders of the runs that used it.
        models: digest of weights -> name of the model.
        runs: folder of a run -> the run.
        silent: folders of runs of which that is not known: they are not complete, damaged or of an older
            version.
        unseen: what may hold more runs: folders that cannot be looked into, and links out of the folder.
    """

    used_by: dict[str, list[str]]
    models: dict[str, str]
    runs: dict[str, RunFolder]
    silent: list[str]
    unseen: list[str]

    def of(self, entry: Held, name: str) -> str:
        """Values of a coordinate of the runs that need it, or what is known of its model without them."""
        found = {str(self.runs[run].coordinate(name)) for run in self.used_by.get(entry.address, ())}
        if name == "model" and not found and entry.weights:
            found = {self.models.get(entry.weights, f"weights {entry.weights[:8]}")}
        return ", ".join(sorted(found)) or MISSING


def store(arguments: Sequence[str]) -> bool:
    """Do what the command line asks of the store.

    Returns:
        Whether nothing is damaged, and nothing that was to go is in use.

    Raises:
        UserError: if there is no such store, run or model, or it cannot be said what runs need.
    """
    asked = parser().parse_args(arguments)
    folder = Path(asked.store)
    require(os.path.isdir(folder), "store needs a folder that exists", str(folder), "Set --store FOLDER.")
    known = any(any(folder.glob(f"*/{name}")) for name in (f"*/{RECIPE}", f"{GOING}*"))
    remedy = "Try outputs/store, or what the setting `store` was."
    require(known or not any(folder.iterdir()), "--store must be a folder of stores", str(folder), remedy)
    console = screen()
    if asked.action == "du":
        console.print(sums(inventory(folder)))
        return True
    if asked.action == "verify":
        return verify(console, folder)
    runs = Path(asked.runs) if asked.runs else folder.parent
    require(os.path.isdir(runs), "--runs must be a folder that exists", str(runs), "Try outputs.")
    if asked.action == "ls":
        needs = needs_of(runs, folder)
        print_fitting(console, table(inventory(folder), needs), ("kind", "size", "runs"), asked.wide)
        return True
    given_up = [Path(each) for each in asked.run]
    for each in given_up:
        require(os.path.isdir(each), "--run must be a folder of runs", str(each), "Try outputs/runs/….")
    needs = needs_of(runs, folder, given_up)
    console.print(
        Text(f"Kept is what {counted(len(needs.runs), 'run')} below {runs} may need."), soft_wrap=True
    )
    return prune(console, folder, needs, age(asked.older_than), asked.model, asked.yes)


def needs_of(runs: Path, folder: Path, given_up: Sequence[Path] = ()) -> Needs:
    """What the runs below `runs` need of the store in `folder`, but for those in or below `given_up`."""
    needs = Needs({}, {}, {}, [], [])
    without = {each.resolve() for each in given_up}
    walked, top = walk(runs), runs.resolve()
    for each in (*walked.unreadable, *walked.links):
        place, parent = each.resolve(), each.parent.resolve()
        known = {place, *place.parents, parent, *parent.parents} & {folder.resolve(), *without}
        if not known and (each in walked.unreadable or not (place.is_relative_to(top) or place.is_file())):
            needs.unseen.append(str(each))
    for run in walked.runs:
        place, name, how = run.folder.resolve(), str(run.folder), status(run).word
        before = previous(run.folder)
        dry = not run.results and not run.damage and before is None and run.config.get("dry_run")
        if dry or how == "refused":  # nothing was computed
            continue
        found = run.results or before or Results()
        needs.models.setdefault(found.get("weights", {}).get("before", ""), str(run.coordinate("model")))
        if without & {place, *place.parents}:
            continue
        needs.runs[name] = run
        if how != "complete" or "stores" not in run.results:
            needs.silent.append(name)
        for address in {*run.results.get("stores", ()), *(before or Results()).get("stores", ())}:
            needs.used_by.setdefault(address, []).append(name)
    return needs


def previous(folder: Path) -> Results | None:
    """Results of the attempt before the present one, empty if they cannot be read; None: there are none."""
    try:
        data = read(folder / PREVIOUS)
        found = None if data is None else parse_results(data)
    except Unreadable:
        return Results()
    return found if found is None or found.get("schema", SCHEMA) == SCHEMA else Results()


def prune(console: Screen, folder: Path, needs: Needs, days: float, model: str | None, yes: bool) -> bool:
    """Delete the stores that no run needs, or say which those are.

    Args:
        console: for what is done.
        folder: of all stores.
        needs: of the runs that are kept.
        days: only what was last written so long ago.
        model: only what it made: its name or the beginning of the digest of its weights.
        yes: delete them.
    """
    require(
        not needs.silent,
        "prune must know what every run needs",
        f"{counted(len(needs.silent), 'run')} of which that is unknown (first: "
        f"{needs.silent[0] if needs.silent else ''})",
        "They are not complete, damaged or of an earlier version: run them again, or give them up by --run "
        "FOLDER.",
    )
    require(
        not needs.unseen,
        "prune must see every run",
        f"{counted(len(needs.unseen), 'place')} that it does not look into (first: "
        f"{needs.unseen[0] if needs.unseen else ''})",
        "Name the folder that holds all runs by --runs, give up what is there by --run FOLDER, or delete the "
        "link.",
    )
    require(
        bool(needs.models),
        "prune needs the folder of the runs that use the store",
        "one without runs",
        "Name it by --runs FOLDER; where there are none any more, delete the store as a whole.",
    )
    entries = [each for each in inventory(folder) if each.items is not None]
    if model is not None:
        known = {each.weights: needs.models.get(each.weights, "") for each in entries if each.weights}
        chosen = {digest for digest, name in known.items() if name == model or digest.startswith(model)}
        names = ", ".join(sorted(name or digest[:8] for digest, name in known.items()))
        require(bool(chosen), f"--model must be one of: {names or 'none'}", model, "See `store ls`.")
        entries = [each for each in entries if each.weights in chosen]
    oldest = time.time() - DAY * days
    going = [each for each in entries if each.address not in needs.used_by and each.newest <= oldest]
    if going:
        console.print(table(going, needs))
    if yes:
        remove_rest(folder)
    kept = [each for each in going if yes and not remove(folder / each.address)]
    for each in kept:
        console.print(
            Text(f"kept: {each.address}: a run uses it, it is a link, or there are no locks here"),
            soft_wrap=True,
        )
    size = bytes_word(sum(each.size for each in going if each not in kept))
    freed = f"{counted(len(going) - len(kept), 'store')}, {size}"
    console.print(Text(f"Deleted: {freed}." if yes else f"No run needs: {freed}. --yes deletes that."))
    return not kept


def verify(console: Screen, folder: Path) -> bool:
    """Recompute the digest of everything, and name the shards that are damaged; returns whether none is."""
    entries = [each for each in inventory(folder) if each.items is not None]
    faults = [
        f"damaged: {folder / each.address / 'shards' / name}: {why}"
        for each in entries
        for name, why in damaged(folder / each.address)
    ]
    for line in faults:
        console.print(Text(line), soft_wrap=True)
    items = sum(each.items or 0 for each in entries)
    console.print(
        Text(
            f"{counted(items, 'item')} in {counted(len(entries), 'store')} verified, "
            f"{counted(len(faults), 'shard')} damaged."
        )
    )
    if faults:
        console.print(Text("A run that needs what was in them sets them aside and makes it again."))
    for path in sorted(folder.glob("*/*/shards/*.damaged")):
        console.print(Text(f"set aside by a run, nothing needs it: {path}"), soft_wrap=True)
    return not faults


def table(entries: Sequence[Held], needs: Needs) -> Table:
    """A row per store."""
    made = Table(box=box.SIMPLE)
    for head in ("kind", "address"):
        made.add_column(Text(head))
    for head in ("items", "size", "age", "runs"):
        made.add_column(Text(head), justify="right")
    for head in ("model", "domain"):
        made.add_column(Text(head))
    for each in entries:
        age = f"{max(time.time() - each.newest, 0) / DAY:.1f} d"
        runs = str(len(needs.used_by.get(each.address, ())))
        where = each.kind, each.address.partition("/")[2]
        made.add_row(
            *map(Text, (*where, number(each.items), bytes_word(each.size), age, runs)),
            *(Text(needs.of(each, name)) for name in ("model", "domain")),
        )
    return made


def sums(entries: Sequence[Held]) -> Table:
    """A row per kind, and one for all."""
    made = Table(box=box.SIMPLE)
    made.add_column(Text("kind"))
    for head in ("stores", "items", "files", "size"):
        made.add_column(Text(head), justify="right")
    for kind in [*dict.fromkeys(each.kind for each in entries), "all"]:
        its = [each for each in entries if kind in (each.kind, "all")]
        counts = len(its), sum(each.items or 0 for each in its), sum(each.files for each in its)
        size = bytes_word(sum(each.size for each in its))
        made.add_row(Text(kind), *(Text(number(count)) for count in counts), Text(size))
    return made


def bytes_word(size: float) -> str:
    """A size that people read, in powers of 1,000."""
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.3g} {unit}" if size < 1000 else f"{size:,.0f} {unit}"
        size /= 1000
    raise AssertionError


def age(text: str) -> float:
    """Days, from a word such as 30d."""
    days, unit = text[:-1], text[-1:]
    if unit != "d" or not days.replace(".", "", 1).isdigit():
        raise UserError(f"--older-than must be a number of days, but got {text!r}. Try 30d.")
    return float(days)


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `store`."""
    made = argparse.ArgumentParser(prog="ood-diffusion store", description="What the store holds.")
    actions = made.add_subparsers(dest="action", required=True, metavar="ls|du|verify|prune")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store", metavar="FOLDER", default="outputs/store", help="default: outputs/store")
    with_runs = argparse.ArgumentParser(add_help=False)
    where = "where the runs are (default: the folder that holds the store)"
    with_runs.add_argument("--runs", metavar="FOLDER", help=where)
    listing = actions.add_parser(
        "ls", parents=[common, with_runs], help="stores, and how many runs need them"
    )
    listing.add_argument("--wide", action="store_true", help="show all columns, however wide the terminal is")
    actions.add_parser("du", parents=[common], help="sizes by kind")
    actions.add_parser("verify", parents=[common], help="recompute digests; exit status 1 if any is wrong")
    pruning = actions.add_parser(
        "prune", parents=[common, with_runs], help="list the stores that no run needs; delete them by --yes"
    )
    pruning.add_argument(
        "--older-than", metavar="DAYS", default="0d", help="only those not written since, as 30d"
    )
    pruning.add_argument("--model", metavar="NAME", help="only those that this model made")
    again = "a run, or a folder of runs, that may lose what it needs; several times for several"
    pruning.add_argument("--run", metavar="FOLDER", action="append", default=[], help=again)
    pruning.add_argument("--yes", action="store_true", help="delete them")
    return made
