"""Quality against the domain gap."""

import altair as alt

from ood_diffusion.dashboard.charts.curve import titled
from ood_diffusion.dashboard.charts.parts import chart, interval, points, told


def gap_scatter() -> alt.LayerChart:
    """A point per cell, with the intervals of both figures; rows have "gap", "gap_low" and "gap_high".

    Cells of one place have the same gap: its interval is drawn once, through the median of their points, for
    each colour.
    """
    base = alt.Chart().transform_filter("isValid(datum.value) && isValid(datum.gap)")
    scale = alt.Scale(zero=False, padding=12)
    title = "domain gap (FID between the domains)"
    x, y = alt.X("gap:Q", scale=scale, title=title), alt.Y("value:Q", scale=alt.Scale(zero=False), title=None)
    up = interval(base, "low", "high", x=x, y=alt.Y("low:Q", title=None), y2=alt.Y2("high"))
    places = base.transform_aggregate(
        middle="median(value)", faded="min(faded)", groupby=["gap_low", "gap_high", "colour"]
    )
    left, right = alt.X("gap_low:Q", scale=scale, title=title), alt.X2("gap_high")
    across = interval(places, "gap_low", "gap_high", x=left, x2=right, y=alt.Y("middle:Q", title=None))
    tips = [alt.Tooltip("gap:Q", title="gap", format=".4~g")]
    tips += [alt.Tooltip(f"{name}:Q", title=name, format=".4~g") for name in ("value", "low", "high")]
    says = f"'domain gap ' + {told('gap', 'gap_low', 'gap_high')} + ', ' + metric + ' ' + {told()}"
    return titled(chart(up, across, points(base, x, y, says, *tips), height=300))
