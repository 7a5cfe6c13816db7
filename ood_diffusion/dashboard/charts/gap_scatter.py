"""Quality against the domain gap."""

import altair as alt

from ood_diffusion.dashboard.charts.curve import titled
from ood_diffusion.dashboard.charts.parts import chart, interval, points


def gap_scatter() -> alt.LayerChart:
    """A point per cell, with the intervals of both figures; rows have "gap", "gap_low" and "gap_high"."""
    base = alt.Chart().transform_filter("isValid(datum.value) && isValid(datum.gap)")
    scale = alt.Scale(zero=False, padding=12)
    title = "domain gap (FID between the domains)"
    x, y = alt.X("gap:Q", scale=scale, title=title), alt.Y("value:Q", scale=alt.Scale(zero=False), title=None)
    up = interval(base, x, alt.Y("low:Q", title=None), y2=alt.Y2("high"))
    across = interval(base, alt.X("gap_low:Q", scale=scale, title=title), y, x2=alt.X2("gap_high"))
    told = [alt.Tooltip("gap:Q", title="gap", format=".4~g")]
    told += [alt.Tooltip(f"{name}:Q", title=name, format=".4~g") for name in ("value", "low", "high")]
    return titled(chart(up, across, points(base, x, y, *told), height=300))
