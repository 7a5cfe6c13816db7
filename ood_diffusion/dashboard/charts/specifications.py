"""Every chart of the page, drawn up with Altair and compiled to Vega, so that the page has less to do."""

from typing import Any

import altair as alt
from vl_convert import javascript_bundle, vegalite_to_vega

from ood_diffusion.dashboard.charts.curve import curve
from ood_diffusion.dashboard.charts.forest import forest
from ood_diffusion.dashboard.charts.gap_scatter import gap_scatter
from ood_diffusion.dashboard.charts.heat_map import heat_map

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


def specifications() -> dict[str, dict[str, Any]]:
    """Name of a chart -> its Vega specification, without data or colours."""
    made = {"heat_map": heat_map(), "gap_scatter": gap_scatter(), "forest": forest()}
    made |= {
        name: curve(setting, name in LOGARITHMIC, name in FROM_ZERO) for name, setting in SETTINGS.items()
    }
    return {name: compiled(chart) for name, chart in made.items()}


def compiled(chart: alt.LayerChart) -> dict[str, Any]:
    """By the version of Vega-Lite that Altair writes."""
    return vegalite_to_vega({**chart.to_dict(), "config": BARE}, vl_version=vega_lite_version())


def vega_lite_version() -> str:
    """As vl-convert names it."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def vega_bundle() -> str:
    """Vega and Vega-Embed as one script."""
    return javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vega_lite_version())
