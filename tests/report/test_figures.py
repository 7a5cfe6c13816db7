import logging
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import _pylab_helpers

from ood_diffusion.report import figures
from tests.report.fake import arrays


def test_figures_are_svg_reproducible_and_leave_no_global_state() -> None:
    before = dict(mpl.rcParams)
    made = [
        figures.norm_histogram(arrays(108.0, 2.0), (110.8, 0.7)),
        figures.angle_histogram(arrays(86.0, 1.5), None),
        figures.distance_histogram(np.linspace(5, 9, 20), 7.0, 8.0),
        figures.acceptance_bars({"distance": 0.4, "all": 0.1}),
    ]
    for svg in made:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert made[0] == figures.norm_histogram(arrays(108.0, 2.0), (110.8, 0.7))
    assert dict(mpl.rcParams) == before
    assert not _pylab_helpers.Gcf.figs


@pytest.mark.parametrize(
    "values", [np.full(5, 110.8, np.float32), np.array([1.0]), np.array([np.nan, 2.0]), []]
)
def test_degenerate_data_still_make_a_figure(values: list[float]) -> None:
    assert "<svg" in figures.norm_histogram({"samples": np.asarray(values, np.float32)}, None)
    assert "<svg" in figures.distance_histogram(np.asarray(values, np.float32), None, None)


def test_a_figure_is_saved_as_svg_and_as_pdf(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    drawn = figures.norm_histogram({"samples": np.linspace(1, 2, 50)}, None)
    figures.save(tmp_path / "norms.svg", drawn)
    assert (tmp_path / "norms.svg").read_text() == drawn and "<svg" in drawn
    pdf = (tmp_path / "norms.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"/Type3" not in pdf and len(pdf) > 2000
    assert not caplog.records  # of what embeds the fonts
    figures.save(tmp_path / "norms.svg", drawn)
    assert (tmp_path / "norms.pdf").read_bytes() == pdf


def test_what_matplotlib_says_to_developers_reaches_nobody(recwarn: pytest.WarningsRecorder) -> None:
    figure, axes = figures.panel("\N{CJK UNIFIED IDEOGRAPH-6F22}, which its font lacks", "", width=0.5)
    loggers = [logging.getLogger(name) for name in ("matplotlib", "fontTools")]
    before = [each.level for each in loggers]
    figures.svg(figure, axes)
    figures.Drawing("", figure).pdf()
    assert not recwarn.list and [each.level for each in loggers] == before
    with pytest.raises(KeyError), figures.quiet():
        assert [each.level for each in loggers] != before
        raise KeyError
    assert [each.level for each in loggers] == before


@pytest.mark.parametrize("length", [4, 26, 60])
def test_a_legend_is_no_wider_than_the_figure(length: int) -> None:
    figure, axes = figures.panel("x", "y")
    for i in range(3):
        axes.plot([0, 1], label=f"{i}" * length)
    figures.svg(figure, axes)
    (legend,) = figure.legends
    rows = len({round(text.get_window_extent().y0) for text in legend.get_texts()})
    assert rows == {4: 1, 26: 2, 60: 3}[length] and legend.get_window_extent().width <= figure.bbox.width
