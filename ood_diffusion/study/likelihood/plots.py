"""How likely the model finds the images of both domains."""

from collections.abc import Mapping

import numpy as np

from ood_diffusion.report.figures import BLUE, ORANGE, Drawing, panel, svg
from ood_diffusion.statistics.estimate import Array

COLOURS = {"training": BLUE, "unseen": ORANGE}


def bits_histogram(bits: Mapping[str, Array]) -> Drawing:
    """Histogram of bits per value, ``[n]`` for each domain."""
    figure, axes = panel("bits per value", "images")
    edges = np.histogram_bin_edges(np.concatenate(list(bits.values())), bins=16).tolist()
    for domain, values in bits.items():
        title = f"{domain} domain (n = {len(values)})"
        axes.hist(values, edges, color=COLOURS[domain], alpha=0.6, label=title)
    return svg(figure, axes)
