"""The ways to propose latents, ranked."""

import altair as alt

from ood_diffusion.dashboard.charts.parts import chart


def forest() -> alt.LayerChart:
    """FID with its interval, a row per way, the lowest on top; the best new one and its ties are round.

    The dashed line is the FID of the references, which are real images.
    """
    base = alt.Chart()
    room = alt.Axis(labelLimit=alt.ExprRef("windowSize()[0] < 600 ? 150 : 260"))
    y = alt.Y("label:N", sort=alt.EncodingSortField("fid", op="min"), title=None, axis=room)
    scale = alt.Scale(zero=False, padding=12)
    x = alt.X("fid:Q", scale=scale, axis=alt.Axis(title="FID, 95 % interval", tickCount=5))
    ends = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("fid_low:Q", scale=scale), x2=alt.X2("fid_high"), y=y, color=alt.Color("colour:N", scale=None)
    )
    told = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("fid", "fid_low", "fid_high", "seeds")]
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=alt.Color("colour:N", scale=None),
        shape=alt.Shape("shape:N", scale=None),
        tooltip=[alt.Tooltip("label:N", title="way"), *told],
    )
    real = base.transform_aggregate(real="mean(fid_references)").transform_filter("isValid(datum.real)")
    line = real.mark_rule(strokeDash=[5, 4], color=alt.ExprRef("ink")).encode(x=alt.X("real:Q", scale=scale))
    return chart(line, ends, dots, height=alt.Step(24))
