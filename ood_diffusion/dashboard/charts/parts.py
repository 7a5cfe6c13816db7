"""What the charts have in common: the data by name, what is switched on the page, points with intervals."""

from typing import Any, cast

import altair as alt

DATA = "rows"
"""Under this name the page hands its rows to a chart, and hands them again when they change."""
SELECTED = "length(selected) == 0 || indexof(selected, datum.cell) >= 0"


def chart(*layers: alt.Chart, height: int | alt.Step = 260) -> alt.LayerChart:
    """Layers on one another, as wide as the page allows; what the page switches are parameters.

    "metric" is what is drawn, "lower" whether lower is better, "selected" places of cells, "ink" the
    colour of what is no category.
    """
    params = [
        alt.param(name=name, value=value)
        for name, value in (("metric", ""), ("lower", False), ("selected", []), ("ink", "#000000"))
    ]
    layered = alt.layer(*layers, data=alt.NamedData(DATA)).properties(width="container", height=height)
    return cast(alt.LayerChart, layered.add_params(*params))


def coloured() -> alt.Color:
    """The colour that the page gave to the row."""
    return alt.Color("colour:N", scale=None)


def opacity() -> Any:
    """Full where no cell is selected or this one is."""
    return alt.condition(SELECTED, alt.value(1), alt.value(0.15))


def points(base: alt.Chart, x: alt.X, y: alt.Y, *more: alt.Tooltip) -> alt.Chart:
    """A point per row that tells what it is, in the colour and shape of its category; it can be clicked."""
    made: alt.Chart = base.mark_point(filled=True, size=90, opacity=1, cursor="pointer").encode(
        x=x,
        y=y,
        color=coloured(),
        shape=alt.Shape("shape:N", scale=None),
        opacity=opacity(),
        tooltip=[alt.Tooltip("label:N", title="cell"), *more],
    )
    return made


def interval(base: alt.Chart, x: alt.X, y: alt.Y, **ends: alt.Y2 | alt.X2) -> alt.Chart:
    """The 95 % interval of each row that has one, as a line through its point."""
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    rules = known.mark_rule(strokeWidth=1.5)
    made: alt.Chart = rules.encode(x=x, y=y, color=coloured(), opacity=opacity(), **ends)
    return made
