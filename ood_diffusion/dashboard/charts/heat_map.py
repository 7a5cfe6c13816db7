"""Models × domains."""

import altair as alt

from ood_diffusion.dashboard.charts.parts import chart

BRIGHT = 0.48
"""Of cividis, which is made for any colour vision, from 0 to 1: from here on black text is easier to read."""


def heat_map() -> alt.LayerChart:
    """A tile per model and domain with the median over its cells; the brightest is the best.

    Where no direction is better the brightest is the largest. Tiles of selected cells are outlined: faded
    colours would not be those of the scale.
    """
    shade = "(datum.most - datum.value) / (datum.most - datum.least)"
    base = (
        alt.Chart()
        .transform_filter("isValid(datum.value)")
        .transform_aggregate(
            value="median(value)", cells="count()", faded="min(faded)", groupby=["model", "domain"]
        )
        .transform_joinaggregate(least="min(value)", most="max(value)")
        .transform_calculate(
            shade=f"datum.most == datum.least ? 1 : lower ? {shade} : 1 - {shade}",
            says="datum.model + ', ' + datum.domain + ': ' + metric + ' ' + format(datum.value, '.4~g')"
            " + (datum.cells > 1 ? ', median of ' + datum.cells + ' runs' : '')",
            text="format(datum.value, '.4~g') + (datum.cells > 1 ? '  (' + datum.cells + ')' : '')",
        )
        .encode(
            x=alt.X(
                "model:N", title=None, axis=alt.Axis(labelAngle=0, orient="top", domain=False, ticks=False)
            ),
            y=alt.Y("domain:N", title=None, axis=alt.Axis(labelLimit=130, domain=False, ticks=False)),
        )
    )
    tips = [
        "model:N",
        "domain:N",
        alt.Tooltip("value:Q", title="median", format=".4~g"),
        alt.Tooltip("cells:Q", title="runs"),
    ]
    tiles = base.mark_rect(cursor="pointer", stroke=alt.ExprRef("ink")).encode(
        fill=alt.Fill("shade:Q", scale=alt.Scale(scheme="cividis", domain=[0, 1]), legend=None),
        strokeWidth=alt.condition("selected && !datum.faded", alt.value(4), alt.value(0)),
        description="says:N",
        tooltip=tips,
    )
    ink = alt.condition(f"datum.shade >= {BRIGHT}", alt.value("#000000"), alt.value("#ffffff"))
    words = base.mark_text(cursor="pointer", aria=False).encode(text="text:N", color=ink, tooltip=tips)
    return chart(tiles, words, height=alt.Step(48))
