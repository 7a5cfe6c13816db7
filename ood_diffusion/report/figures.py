"""SVG figures: Okabe–Ito colours, labelled axes, a light panel that reads on any page.

Only `Figure` objects are used, so nothing is registered with pyplot and nothing leaks.
"""

import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from typing_extensions import Self

from ood_diffusion.report.wording import ACCEPTANCE, percent
from ood_diffusion.storage.atomic import atomic_write

INK, PANEL, RULE = "#22272e", "#fbfbf8", "#d9d9d2"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = {"references": BLUE, "samples": ORANGE, "held_out": GREEN}
Band = tuple[float, float]
"""A mean and a standard deviation."""
Arrays = Mapping[str, NDArray[np.floating]]


class Interval(Protocol):
    """A value with its 95 % interval."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def low(self) -> float:
        """Lower end."""

    @property
    def high(self) -> float:
        """Upper end."""


class Drawing(str):
    """The SVG text of a figure, which can be had as PDF as well.

    Args:
        text: SVG.
        figure: what it shows.
    """

    figure: Figure

    def __new__(cls, text: str, figure: Figure) -> Self:
        """Text that remembers its figure."""
        made = super().__new__(cls, text)
        made.figure = figure
        return made

    def pdf(self) -> bytes:
        """Vectors and text, for a paper; with TrueType fonts, as journals ask."""
        buffer = io.BytesIO()
        with quiet(), mpl.rc_context({"pdf.fonttype": 42}):
            self.figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
        return buffer.getvalue()


@contextmanager
def quiet() -> Iterator[None]:
    """What libraries say to developers while a figure is written reaches nobody."""
    loggers = [logging.getLogger(name) for name in ("fontTools", "matplotlib")]  # the first tells every step
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def norm_histogram(latent_norms: Arrays, isotropic: Band | None) -> Drawing:
    """Histogram of latent norms (``[n]`` per set) with the band that N(0, I) predicts; SVG text."""
    return _histogram(latent_norms, isotropic, "latent norm", "N(0, I): mean ± 2 sd")


def angle_histogram(origin_angles: Arrays, isotropic: Band | None) -> Drawing:
    """Histogram of angles at the origin in degrees (``[n]`` per set), with the isotropic band; SVG text."""
    return _histogram(origin_angles, isotropic, "angle at the origin (degrees)", "N(0, I): mean ± 2 sd")


def distance_histogram(
    distances: NDArray[np.floating], generated: float | None, held_out: float | None
) -> Drawing:
    """Histogram of feature distances from each sample to its nearest reference; SVG text.

    Args:
        distances: ``[m]``.
        generated: the mean over all samples, drawn as a line.
        held_out: the mean over held-out images, drawn as a line.
    """
    figure, axes = panel("distance to the nearest reference (feature space)", "images")
    values = distances[np.isfinite(distances)]
    axes.hist(values, bins=_edges([values]), color=ORANGE, alpha=0.75, label=f"samples (n = {len(values)})")
    if generated is not None:
        axes.axvline(generated, color=ORANGE, linewidth=1.8, label="mean of samples")
    if held_out is not None:
        axes.axvline(held_out, color=GREEN, linewidth=1.8, linestyle="--", label="mean of held-out images")
    return svg(figure, axes)


def acceptance_bars(acceptance: Mapping[str, Any]) -> Drawing:
    """Bars of the share of proposals that pass each geometric test (shares in [0, 1]); SVG text."""
    figure, axes = panel("proposals accepted (%)", "", height=2.2)
    words = [word for word in ACCEPTANCE if acceptance.get(word.path) is not None][::-1]
    shares = [100 * float(acceptance[word.path]) for word in words]
    colours = [PURPLE if word.path == "all" else BLUE for word in words]
    bars = axes.barh([word.label for word in words], shares, color=colours, height=0.62)
    axes.bar_label(bars, [percent(share / 100) for share in shares], padding=4, color=INK, fontsize=9)
    axes.set_xlim(0, 118)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.grid(visible=False, axis="y")
    return svg(figure, axes, legend=False)


def _histogram(sets: Arrays, band: Band | None, label: str, band_label: str) -> Drawing:
    figure, axes = panel(label, "density")
    finite = {name: values[np.isfinite(values)] for name, values in sets.items()}
    finite = {name: values for name, values in finite.items() if len(values)}
    edges = _edges(list(finite.values()))
    for name, values in finite.items():
        colour, title = COLOURS.get(name, PURPLE), f"{name.replace('_', '-')} (n = {len(values):,})"
        axes.hist(values, edges, density=True, histtype="stepfilled", color=colour, alpha=0.25, label=title)
        axes.hist(values, edges, density=True, histtype="step", color=colour, linewidth=1.4)
    if band is not None:
        mean, sd = band
        axes.axvspan(mean - 2 * sd, mean + 2 * sd, color=INK, alpha=0.16, linewidth=0, label=band_label)
        axes.axvline(mean, color=INK, linewidth=1, linestyle=":")
    return svg(figure, axes)


def _edges(sets: list[NDArray[np.floating]]) -> list[float]:
    values = np.concatenate(sets).astype(np.float64) if sets else np.zeros(1)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not low <= high:
        low, high = 0.0, 1.0
    room = max(1e-5 * max(abs(low), abs(high), 1.0) - (high - low), 0.0)  # equal values still need bins
    bins = int(np.clip(np.sqrt(len(values)) * 1.5, 8, 48))
    return cast(list[float], np.linspace(low - room / 2, high + room / 2, bins + 1).tolist())


def panel(x: str, y: str, height: float = 2.8, width: float = 5.4) -> tuple[Figure, Axes]:
    """An empty figure with labelled axes in the house style; `height` and `width` in inches."""
    figure = Figure(
        figsize=(width, height), facecolor=PANEL, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    )
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(facecolor=PANEL)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def arms(found: Iterable[Interval], scale: float = 1) -> list[list[float]]:
    """How far each interval reaches below and above its value, times `scale`, as `errorbar` wants it."""
    both = [(scale * max(x.value - x.low, 0.0), scale * max(x.high - x.value, 0.0)) for x in found]
    return [[below for below, _ in both], [above for _, above in both]]


def save(path: Path, drawn: Drawing, pdf: bool = True) -> None:
    """Write a figure to `path`, which ends with .svg, and to the .pdf beside it if `pdf`."""
    atomic_write(path, drawn.encode())
    if pdf:
        atomic_write(path.with_suffix(".pdf"), drawn.pdf())


def svg(figure: Figure, axes: Axes, legend: bool = True) -> Drawing:
    """The figure as SVG text, the same bytes for the same content; with a legend where there are labels."""
    if legend and axes.get_legend_handles_labels()[0]:
        for columns in (3, 2, 1):  # as many as fit
            key = figure.legend(
                loc="outside upper center", ncols=columns, fontsize=8.5, labelcolor=INK, frameon=False
            )
            if columns == 1 or key.get_window_extent().width <= figure.bbox.width:
                break
            key.remove()
    buffer = io.StringIO()
    with quiet(), mpl.rc_context({"svg.hashsalt": "ood_diffusion", "svg.fonttype": "path"}):
        # `savefig` would draw it twice
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return Drawing(buffer.getvalue(), figure)
