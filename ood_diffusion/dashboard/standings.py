"""The leaderboard as rows and columns for the page."""

from collections.abc import Sequence

from ood_diffusion.checks import Json
from ood_diffusion.claims.leaderboard import WAY, heads, leaderboards
from ood_diffusion.report.collect.run_folder import RunFolder
from ood_diffusion.report.leaderboard_table import Standing, file_rows
from ood_diffusion.report.wording import MISSING

FIXED = ("rank", "fid", "model", "domain", "sampler", "prior", "selection")
NUMBERS = ("seeds", "fid_low", "fid_high", "fid_references")


def standings(runs: Sequence[RunFolder]) -> Json:
    """The rows of all boards.

    Returns:
        "rows", each with a "label" that says in what its way differs from others on its board and with "at",
        the coordinates of the runs that it is made of (a prior that is not used may be any); "columns":
        name -> head, for those that say something.
    """
    told = heads(runs)
    rows = [
        {**row, "at": at(model, domain, standing)}
        for (model, domain), board in leaderboards(runs).items()
        for row, standing in zip(file_rows(model, domain, board, told), board, strict=True)
    ]
    known = {name for row in rows for name, value in row.items() if value is not None}
    names = dict.fromkeys(name for row in rows for name in row)
    numbers = {*NUMBERS, *told, *(f"{name}_{end}" for name in told for end in ("low", "high"))}
    others = [name for name in names if name not in {*FIXED, *numbers, "tied", "at"}]
    for board in {(row["model"], row["domain"]) for row in rows}:
        label([row for row in rows if (row["model"], row["domain"]) == board], [*WAY, *others])
    alike = {
        name for name in ("model", "domain", "prior", "selection") if len({row[name] for row in rows}) == 1
    }
    fixed = {**{name: name for name in (*FIXED, *others, "seeds")}, "fid": "FID ↓"}
    shown = fixed | {name: each.head for name, each in told.items()}
    return {
        "rows": rows,
        "columns": {name: head for name, head in shown.items() if name in known and name not in alike},
    }


def label(board: Sequence[Json], names: Sequence[str]) -> None:
    """Give each row of one board a "label" of those of `names` in which its rows differ."""
    differ = [name for name in names if len({row.get(name) for row in board}) > 1]
    for row in board:
        words = [row[name] if name in WAY else f"{name}={row[name]}" for name in differ]
        row["label"] = " · ".join(word for word in words if word not in (MISSING, "none")) or row["sampler"]


def at(model: str, domain: str, standing: Standing) -> dict[str, str]:
    """Coordinates by their names in the runs, but for those of a prior that is not used."""
    found: dict[str, str] = {**{name: getattr(standing, name) for name in WAY}, **standing.others}
    unused = standing.prior == MISSING
    used = {k: value for k, value in found.items() if not (unused and k.partition(".")[0] == "prior")}
    return {"model": model, "domain": domain, **used}
