"""A figure against a setting, a line per way to set everything else."""

import altair as alt

from ood_diffusion.dashboard.charts.parts import chart, coloured, interval, points, told


def curve(setting: str, logarithmic: bool, from_zero: bool) -> alt.LayerChart:
    """Points with 95 % intervals, and a line through their means over cells that differ in the seed only.

    Args:
        setting: its name.
        logarithmic: whether equal ratios of the setting are equally far apart.
        from_zero: whether the figure's axis begins at 0.
    """
    scale = (
        alt.Scale(type="log", base=2, nice=False, padding=12)
        if logarithmic
        else alt.Scale(zero=False, padding=12)
    )
    x = alt.X("x:Q", scale=scale, title=setting, axis=alt.Axis(format=".4~g", tickCount=6, labelOverlap=True))
    vertical = alt.Scale(zero=from_zero, nice=True)
    y = alt.Y("value:Q", scale=vertical, title=None)
    base = alt.Chart().transform_filter("isValid(datum.value)")
    means = base.mark_line(strokeWidth=1.5, opacity=alt.ExprRef("selected ? 0.2 : 0.7"), aria=False).encode(
        x=x, y=alt.Y("mean(value):Q", scale=vertical, title=None), color=coloured(), detail="group:N"
    )
    up = alt.Y("low:Q", scale=vertical, title=None)
    ends = interval(base, "low", "high", x=x, y=up, y2=alt.Y2("high"))
    tips = [alt.Tooltip("x:Q", title=setting, format=".4~g")]
    tips += [alt.Tooltip(f"{name}:Q", title=name, format=".4~g") for name in ("value", "low", "high")]
    says = f"'{setting} ' + format(datum.x, '.4~g') + ', ' + metric + ' ' + {told()}"
    return titled(chart(means, ends, points(base, x, y, says, *tips)))


def titled(made: alt.LayerChart) -> alt.LayerChart:
    """The vertical axis named above the chart, where a name of any length can be read."""
    return made.properties(title=alt.Title(alt.ExprRef("metric")))
