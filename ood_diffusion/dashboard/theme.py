"""Colours of the page and its charts, light and dark, and the configuration of Vega that uses them.

Categories take Okabe and Ito's colours, which people with any kind of colour vision tell apart: on dark as
they are, on white darkened until each has a contrast of 4.5. Shapes differ as well: no chart needs colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ood_diffusion.checks import Json

SHAPES = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "cross": "✚",
    "triangle-down": "▼",
}
"""Vega's name of a shape -> how text writes it. One more than colours, so that a pair comes back after 30."""
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``.

    Args:
        page: behind everything.
        card: behind charts, tables and pictures.
        ink: text.
        soft: small text.
        rule: lines that only decorate.
        edge: borders of what can be clicked.
        accent: links, focus and what is selected.
        on_accent: text on `accent`.
        bad: text that says that something failed.
        series: of categories.
    """

    page: str
    card: str
    ink: str
    soft: str
    rule: str
    edge: str
    accent: str
    on_accent: str
    bad: str
    series: tuple[str, ...]


LIGHT = Theme(
    page="#f6f6f2",
    card="#ffffff",
    ink="#1f242b",
    soft="#59616c",
    rule="#dddcd4",
    edge="#767d87",
    accent="#00588a",
    on_accent="#ffffff",
    bad="#9c2b00",
    series=("#0072B2", "#B34700", "#00664A", "#9C5B80", "#1F242B"),
)
DARK = Theme(
    page="#14171b",
    card="#1c2026",
    ink="#e8e9ea",
    soft="#a5adb8",
    rule="#343a43",
    edge="#87909c",
    accent="#7cc4f0",
    on_accent="#14171b",
    bad="#ffb08c",
    series=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442"),
)


def css_variables(theme: Theme) -> Mapping[str, str]:
    """Name of a custom property -> colour, for every colour but those of categories."""
    names = ("page", "card", "ink", "soft", "rule", "edge", "accent", "on_accent", "bad")
    return {f"--{name.replace('_', '-')}": getattr(theme, name) for name in names}


def vega_config(theme: Theme) -> Json:
    """Of Vega: text, axes and grid in the theme's colours on a transparent chart."""
    text = {"labelColor": theme.ink, "titleColor": theme.ink, "labelFont": FONT, "titleFont": FONT}
    axis = {
        **text,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": theme.rule,
        "domainColor": theme.soft,
        "tickColor": theme.soft,
    }
    title = {"color": theme.ink, "font": FONT, "fontSize": 12, "fontWeight": "normal", "anchor": "start"}
    return {
        "background": "transparent",
        "axis": axis,
        "title": {**title, "frame": "group", "offset": 8},
        "rule": {"stroke": theme.ink},
        "text": {"fill": theme.ink, "font": FONT, "fontSize": 12},
    }
