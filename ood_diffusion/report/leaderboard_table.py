"""Ways to propose latents, ranked: as rows of a file, a table on the screen and a forest plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, panel, svg
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.report.wording import MISSING, number

FIGURES = {
    "kid": "KID ↓",
    "precision": "precision ↑",
    "recall": "recall ↑",
    "density": "density ↑",
    "coverage": "coverage ↑",
    "novelty": "novelty",
    "copies": "copies ↓",
    "capture": "captured ↓",
    "acceptance": "accepted",
    "cost": "calls/image ↓",
}
"""Name of a figure -> the head of its column; FID, by which is ranked, comes before them."""


@dataclass(frozen=True)
class Standing:
    """One way to propose latents, over its seeds.

    Args:
        rank: by FID, from 1.
        tied: whether its interval overlaps that of the first.
        prior: its name; `MISSING` where the sampler does not use it.
        sampler: its name.
        selection: its name.
        others: further coordinates in which the ways compared differ.
        seeds: how many.
        fid: mean over seeds.
        low: lower end of its 95 % interval, for other seeds and other images.
        high: upper end.
        figures: means over seeds by the names in `FIGURES`; None where unknown.
        yardstick: FID of the references, which are real images; None where unknown.
    """

    rank: int
    tied: bool
    prior: str
    sampler: str
    selection: str
    others: Mapping[str, str]
    seeds: int
    fid: float
    low: float
    high: float
    figures: Mapping[str, float | None] = field(default_factory=dict)
    yardstick: float | None = None

    @property
    def label(self) -> str:
        """What tells it from the others, on one line."""
        parts = [
            self.sampler,
            *[self.prior] * (self.prior != MISSING),
            *[self.selection] * (self.selection != "none"),
        ]
        return " · ".join([*parts, *(f"{name}={value}" for name, value in self.others.items())])


def file_rows(model: str, domain: str, standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """One flat row per standing, for `table_file.write_rows`; a knob that is called as a figure is
    (precision) is a "(setting)".
    """
    return [
        {
            "model": model,
            "domain": domain,
            "rank": each.rank,
            "tied": each.tied,
            "prior": each.prior,
            "sampler": each.sampler,
            "selection": each.selection,
            **{f"{k} (setting)" if k in FIGURES else k: value for k, value in each.others.items()},
            "seeds": each.seeds,
            "fid": each.fid,
            "fid_low": each.low,
            "fid_high": each.high,
            **each.figures,
            "fid_references": each.yardstick,
        }
        for each in standings
    ]


def screen_table(title: str, standings: Sequence[Standing]) -> Table:
    """Ranked rows; figures that no row has are left out; "=" marks ties with the first."""
    shown = [name for name in FIGURES if any(each.figures.get(name) is not None for each in standings)]
    others = list(dict.fromkeys(name for each in standings for name in each.others))
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE)
    for name in ("rank", "sampler", "prior", "selection", *others):
        table.add_column(name)
    for name in ("seeds", "FID ↓", *(FIGURES[name] for name in shown)):
        table.add_column(name, justify="right")
    for each in standings:
        where = [f"{each.rank}{' =' if each.tied and each.rank > 1 else ''}", each.sampler, each.prior]
        where += [each.selection, *(each.others.get(name, MISSING) for name in others)]
        fid = plus_minus(each.fid, (each.high - each.low) / 2).replace("\u00a0", " ")
        figures = [number(each.figures.get(name)) for name in shown]
        table.add_row(*(Text(entry) for entry in (*where, number(each.seeds), fid, *figures)))
    return table


def forest(standings: Sequence[Standing]) -> str:
    """FID with its interval, a row per standing, the best on top and its interval as a band; SVG text."""
    figure, axes = panel("FID (95 % interval)", "", height=1.4 + 0.27 * len(standings))
    for tied, colour, name in ((True, BLUE, "best, and not told apart from it"), (False, ORANGE, "worse")):
        places = [place for place, each in enumerate(standings) if each.tied == tied]
        chosen = [standings[place] for place in places]
        if chosen:
            arms = [[x.fid - x.low for x in chosen], [x.high - x.fid for x in chosen]]
            values = [x.fid for x in chosen]
            axes.errorbar(
                values, places, xerr=arms, fmt="o", markersize=4, color=colour, capsize=3, label=name
            )
    axes.axvspan(standings[0].low, standings[0].high, color=INK, alpha=0.08, linewidth=0)
    known = [each.yardstick for each in standings if each.yardstick is not None]
    if known:
        mean = sum(known) / len(known)
        axes.axvline(mean, color=GREEN, linewidth=1.6, linestyle="--", label="references (real images)")
    axes.set_yticks(range(len(standings)), [each.label for each in standings])
    axes.set_ylim(len(standings) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    return svg(figure, axes)
