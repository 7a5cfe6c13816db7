"""Every chart of the page, drawn up with Altair and compiled to Vega, so that the page has less to do."""

from functools import cache
from typing import Any, cast

import altair as alt
from vl_convert import javascript_bundle, vegalite_to_vega

from ood_diffusion.checks import Json

DATA = "rows"
"""Under this name the page hands its rows to a chart, and hands them again when they change."""
BRIGHT = 0.48
"""Of cividis, which is made for any colour vision, from 0 to 1: from here on black text is easier to read."""
SETTINGS = {
    "eta": "eta",
    "level": "level",
    "steps": "steps",
    "n_references": "references",
    "few_shot": "references",
    "bandwidth": "level",
    "inside": "angle (degrees)",
    "capture": "eta",
}
"""Name of a curve -> what it is drawn against."""
LOGARITHMIC = ("steps", "n_references", "few_shot")
"""Curves whose setting is doubled rather than added to."""
FROM_ZERO = ("bandwidth", "inside", "capture")
BARE = {"view": {"stroke": None}, "background": None}
"""Instead of Altair's theme: colours are the page's."""


@cache
def specifications() -> dict[str, Json]:
    """Name of a chart -> its Vega specification, without data or colours."""
    made = {"heat_map": heat_map(), "gap_scatter": gap_scatter(), "forest": forest()}
    made |= {"importance": importance(), "parallel": parallel()}
    made |= {
        name: curve(setting, name in LOGARITHMIC, name in FROM_ZERO) for name, setting in SETTINGS.items()
    }
    return {name: compiled(chart) for name, chart in made.items()}


def curve(setting: str, logarithmic: bool, from_zero: bool) -> alt.LayerChart:
    """Points with 95 % intervals, and a line through their means over runs that differ in the seed only.

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


def gap_scatter() -> alt.LayerChart:
    """A point per run, with the intervals of both figures; rows have "gap", "gap_low" and "gap_high".

    Runs of one place have the same gap: its interval is drawn once, through the median of their points, for
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


def heat_map() -> alt.LayerChart:
    """A tile per model and domain with the median over its runs; the brightest is the best.

    Where no direction is better the brightest is the largest. Tiles of selected runs are outlined: faded
    colours would not be those of the scale.
    """
    shade = "(datum.most - datum.value) / (datum.most - datum.least)"
    base = (
        alt.Chart()
        .transform_filter("isValid(datum.value)")
        .transform_aggregate(
            value="median(value)", runs="count()", faded="min(faded)", groupby=["model", "domain"]
        )
        .transform_joinaggregate(least="min(value)", most="max(value)")
        .transform_calculate(
            shade=f"datum.most == datum.least ? 1 : lower ? {shade} : 1 - {shade}",
            says="datum.model + ', ' + datum.domain + ': ' + metric + ' ' + format(datum.value, '.4~g')"
            " + (datum.runs > 1 ? ', median of ' + datum.runs + ' runs' : '')",
            text="format(datum.value, '.4~g') + (datum.runs > 1 ? '  (' + datum.runs + ')' : '')",
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
        alt.Tooltip("runs:Q", title="runs"),
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


def forest() -> alt.LayerChart:
    """FID with its interval, a row per way, the lowest on top; filled are the best new one and its ties.

    Rows have "fill" beside "colour": colours and shapes of categories would say what they do not mean here.
    The dashed line is the FID of the references, which are real images.
    """
    base = alt.Chart()
    room = alt.Axis(labelLimit=alt.ExprRef("windowSize()[0] < 600 ? 150 : 260"))
    y = alt.Y("label:N", sort=alt.EncodingSortField("fid", op="min"), title=None, axis=room)
    scale = alt.Scale(zero=False, padding=12)
    x = alt.X("fid:Q", scale=scale, axis=alt.Axis(title="FID, 95 % interval", tickCount=5))
    low = alt.X("fid_low:Q", scale=scale)
    ends = interval(base, "fid_low", "fid_high", x=low, x2=alt.X2("fid_high"), y=y)
    tips = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("fid", "fid_low", "fid_high", "seeds")]
    tied = "(datum.tied ? ', tied with the best' : '')"
    says = f"datum.label + ': FID ' + {told('fid', 'fid_low', 'fid_high')} + {tied}"
    known = base.transform_calculate(says=says)
    dots = known.mark_point(size=90, cursor="pointer").encode(
        x=x,
        y=y,
        stroke=alt.Stroke("colour:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        opacity=opacity(),
        description="says:N",
        tooltip=[alt.Tooltip("label:N", title="way"), *tips],
    )
    real = base.transform_aggregate(real="mean(fid_references)").transform_filter("isValid(datum.real)")
    line = real.mark_rule(strokeDash=[5, 4], color=alt.ExprRef("ink"), aria=False)
    return chart(line.encode(x=alt.X("real:Q", scale=scale)), ends, dots, height=alt.Step(24))


def importance() -> alt.LayerChart:
    """A bar per setting: the share of the figure's variance that it explains; rows have "setting", "share",
    "values" and "runs".
    """
    says = "datum.setting + ': explains ' + format(datum.share, '.0%') + ' of the variance of ' + metric"
    base = alt.Chart().transform_calculate(says=says)
    y = alt.Y("setting:N", sort=alt.EncodingSortField("share", op="min", order="descending"), title=None)
    axis = alt.Axis(format="%", tickCount=5)
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=axis, title="share of the variance explained")
    tips = [alt.Tooltip("setting:N"), alt.Tooltip("share:Q", format=".0%"), "values:Q", "runs:Q"]
    bars = base.mark_bar(height=14, color=alt.ExprRef("ink")).encode(
        x=x, y=y, description="says:N", tooltip=tips
    )
    return titled(chart(bars, height=alt.Step(26)))


def parallel() -> alt.LayerChart:
    """A line per run through its settings and the figure, each on an axis from bottom to top.

    A row is a point of a line, with "axis", its "place" from the left and "y" in [0, 1], or a "tick", which
    belongs to no run.
    """
    base = alt.Chart()
    axis = alt.Axis(orient="top", labelAngle=0, labelLimit=110, domain=False, ticks=False, grid=True)
    x = alt.X(
        "axis:N",
        sort=alt.EncodingSortField("place", op="min"),
        title=None,
        axis=axis,
        scale=alt.Scale(type="point", padding=0.3),
    )
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=16))
    lines = (
        base.transform_filter("isValid(datum.run)")
        .mark_line(strokeWidth=1.5, cursor="pointer")
        .encode(
            x=x,
            y=y,
            detail="run:N",
            order=alt.Order("place:Q"),
            color=coloured(),
            opacity=alt.Opacity("strength:Q", scale=None, legend=None),
            description="label:N",
            tooltip=[alt.Tooltip("label:N", title="run")],
        )
    )
    ticks = base.transform_filter("isValid(datum.tick)")
    ink = alt.ExprRef("ink")
    words = ticks.mark_text(align="left", dx=5, dy=-8, limit=90, color=ink, aria=False).encode(
        x=x, y=y, text="tick:N"
    )
    return chart(lines, words, height=300)


def chart(*layers: alt.Chart, height: int | alt.Step = 260) -> alt.LayerChart:
    """Layers on one another, as wide as the page allows; what the page switches are parameters.

    "metric" is what is drawn, "lower" whether lower is better, "selected" whether any run that is shown
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


def compiled(chart: alt.LayerChart) -> Json:
    """By the version of Vega-Lite that Altair writes."""
    return vegalite_to_vega({**chart.to_dict(), "config": BARE}, vl_version=vega_lite_version())


def vega_lite_version() -> str:
    """As vl-convert names it."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


@cache
def vega_bundle() -> str:
    """Vega and Vega-Embed as one script."""
    return javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version())
