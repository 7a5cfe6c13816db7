"""Ways to propose latents, ranked: as rows of a file, a table on the screen and a forest plot."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.table import Table
from rich.text import Text

from ood_diffusion.figures import Figure
from ood_diffusion.report.collect.rows import Line
from ood_diffusion.report.figures import BLUE, GREEN, INK, ORANGE, Drawing, Interval, arms, panel, svg
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.report.wording import MISSING, number

RANKED = "fid"
"""Name of the figure by which is ranked; its column comes before those of the others."""
LABEL = 60
"""Letters of a line of the forest plot's labels."""
MOSTLY = 0.5
"""Of more copies than this nothing is left that a sampler has made: `copy_references`, a trivial end."""


@dataclass(frozen=True)
class Standing:
    """One way to propose latents, over its seeds.

    Args:
        rank: by FID, from 1.
        tied: whether it is not told apart from the best one that makes new images, or is better.
        prior: its name; `MISSING` where the sampler does not use it.
        sampler: its name.
        selection: its name.
        others: further coordinates in which the ways compared differ.
        seeds: how many.
        fid: mean over seeds, with its interval for other seeds and other images, the references given.
        figures: means over seeds by the names of the figures; unknown ones are left out.
        intervals: of those that have one, likewise.
        yardstick: FID of the references, which are real images; None where unknown.
    """

    rank: int
    tied: bool
    prior: str
    sampler: str
    selection: str
    others: Mapping[str, str]
    seeds: int
    fid: Interval
    figures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
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


def best_new(ordered: Sequence[Standing]) -> Standing:
    """The first whose images are not mostly copies, by which the others are measured; or else the first."""
    new = (each for each in ordered if each.figures.get("copies", 0) < MOSTLY)
    return next(new, ordered[0])


def file_rows(
    model: str, domain: str, standings: Sequence[Standing], heads: Mapping[str, Figure]
) -> list[Line]:
    """One flat row per standing, for `table_file.write_rows`; a knob that is called as a figure is
    (precision) is a "(setting)". `heads`: name -> figure, for the columns beside FID.
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
            **{f"{k} (setting)" if k in heads else k: value for k, value in each.others.items()},
            "seeds": each.seeds,
            **bounds("fid", each.fid),
            **{name: each.figures.get(name) for name in heads},
            **{key: v for name, found in each.intervals.items() for key, v in bounds(name, found).items()},
            "fid_references": each.yardstick,
        }
        for each in standings
    ]


def bounds(name: str, found: Interval) -> dict[str, float]:
    """An estimate as columns of a file."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def screen_table(title: str, standings: Sequence[Standing], heads: Mapping[str, Figure]) -> Table:
    """Ranked rows; figures that no row has are left out; "=" marks `best_new` and its ties."""
    shown = [name for name in heads if any(name in each.figures for each in standings)]
    others = list(dict.fromkeys(name for each in standings for name in each.others))
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE)
    for name in ("rank", "sampler", "prior", "selection", *others):
        table.add_column(name)
    for name in ("seeds", "FID ↓", *(heads[name].head for name in shown)):
        table.add_column(Text(name), justify="right")
    for each in standings:
        where = [f"{each.rank}{' =' if each.tied else ''}", each.sampler, each.prior]
        where += [each.selection, *(each.others.get(name, MISSING) for name in others)]
        fid = plus_minus([each.fid.value, each.fid.low, each.fid.high]).replace("\u00a0", " ")
        figures = [number(each.figures.get(name)) for name in shown]
        table.add_row(*(Text(entry) for entry in (*where, number(each.seeds), fid, *figures)))
    return table


def forest(standings: Sequence[Standing]) -> Drawing:
    """FID with its interval, a row per standing, the lowest on top, that of `best_new` a band; SVG text."""
    labels = [textwrap.wrap(each.label, LABEL) for each in standings]
    lines, letters = (max(map(len, each)) for each in (labels, [line for label in labels for line in label]))
    height, width = 1.4 + (0.12 + 0.15 * lines) * len(standings), 5.4 + 0.075 * max(letters - 24, 0)
    figure, axes = panel("FID (95 % interval)", "", height, width)
    for tied, colour, name in (
        (True, BLUE, "best, or not distinguishable"),
        (False, ORANGE, "worse"),
    ):
        places = [place for place, each in enumerate(standings) if each.tied == tied]
        chosen = [standings[place].fid for place in places]
        if chosen:
            values = [x.value for x in chosen]
            axes.errorbar(
                values, places, xerr=arms(chosen), fmt="o", markersize=4, color=colour, capsize=3, label=name
            )
    best = best_new(standings).fid
    axes.axvspan(best.low, best.high, color=INK, alpha=0.08, linewidth=0)
    known = [each.yardstick for each in standings if each.yardstick is not None]
    if known:
        mean = sum(known) / len(known)
        axes.axvline(mean, color=GREEN, linewidth=1.6, linestyle="--", label="references (real images)")
    axes.set_yticks(range(len(standings)), ["\n".join(label) for label in labels])
    axes.set_ylim(len(standings) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    return svg(figure, axes)
