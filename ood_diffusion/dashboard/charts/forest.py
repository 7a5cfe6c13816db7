"""The ways to propose latents, ranked."""

import altair as alt

from ood_diffusion.dashboard.charts.parts import chart, interval, opacity, told


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
