"""What the charts have in common: the data by name, what is switched on the page, points with intervals."""

from typing import Any, cast

import altair as alt

DATA = "rows"
"""Under this name the page hands its rows to a chart, and hands them again when they change."""


def chart(*layers: alt.Chart, height: int | alt.Step = 260) -> alt.LayerChart:
    """Layers on one another, as wide as the page allows; what the page switches are parameters.

    "metric" is what is drawn, "lower" whether lower is better, "selected" whether any cell that is shown
    is selected, "ink" the colour of what is no category. A row has "faded", 1 if others are selected, else 0.
    """
    params = [
        alt.param(name=name, value=value)
        for name, value in (("metric", ""), ("lower", False), ("selected", False), ("ink", "#000000"))
    ]
    layered = alt.layer(*layers, data=alt.NamedData(DATA)).properties(width="container", height=height)
    return cast(alt.LayerChart, layered.add_params(*params))


def coloured() -> alt.Color:
    """The colour that the page gave to the row."""
    return alt.Color("colour:N", scale=None)


def opacity() -> Any:
    """Full but for rows that are faded."""
    return alt.condition("datum.faded", alt.value(0.15), alt.value(1))


def told(value: str = "value", low: str = "low", high: str = "high") -> str:
    """Vega's expression for a figure in words, with its interval where there is one."""
    short = {name: f"format(datum.{name}, '.4~g')" for name in (value, low, high)}
    ends = f"' [' + {short[low]} + ', ' + {short[high]} + ']'"
    return f"{short[value]} + (isValid(datum.{low}) && isValid(datum.{high}) ? {ends} : '')"


def points(base: alt.Chart, x: alt.X, y: alt.Y, says: str, *more: alt.Tooltip) -> alt.Chart:
    """A point per row, in the colour and shape of its category; it can be clicked.

    Args:
        base: the rows.
        x, y: where.
        says: what a screen reader says of it after its label, as an expression of Vega's.
        more: what its tooltip shows beside the label.
    """
    known = base.transform_calculate(says=f"datum.label + ': ' + {says}")
    made: alt.Chart = known.mark_point(filled=True, size=90, cursor="pointer").encode(
        x=x,
        y=y,
        color=coloured(),
        shape=alt.Shape("shape:N", scale=None),
        opacity=opacity(),
        description="says:N",
        tooltip=[alt.Tooltip("label:N", title="run"), *more],
    )
    return made


def interval(base: alt.Chart, low: str, high: str, **channels: Any) -> alt.Chart:
    """The 95 % interval of each row that has one, as a line through its point, which tells it in words.

    Args:
        base: the rows.
        low, high: fields of its ends.
        channels: where it lies, and what else differs.
    """
    known = base.transform_filter(f"isValid(datum.{low}) && isValid(datum.{high})")
    rules: alt.Chart = known.mark_rule(strokeWidth=1.5, aria=False)
    return rules.encode(**{"color": coloured(), "opacity": opacity(), **channels})
