"""Which figures a page can show, given the arrays and numbers at hand."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_diffusion.report import figures
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.results import Results
from ood_diffusion.report.wording import number

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Plot:
    """One figure: the section that shows it, the name of its files, its drawing and its alt text."""

    section: str
    name: str
    drawn: figures.Drawing
    alt: str

    @property
    def uri(self) -> str:
        """The SVG as a page holds it."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.drawn.encode()).decode()}"


def plots_of(results: Results, pictures: Pictures, norms: Arrays, angles: Arrays) -> list[Plot]:
    """Draw every figure whose data are present, each with the section that it belongs to."""
    predicted: Any = results.get("latents", {}).get("isotropic", {})
    novelty = results.get("metrics", {}).get("novelty", {})
    plots = []
    if any(len(values) for values in norms.values()):
        svg = figures.norm_histogram(norms, _band(predicted, "norm"))
        plots.append(Plot("geometry", "latent_norms", svg, f"Histogram of latent norms: {_sets(norms)}"))
    if any(len(values) for values in angles.values()):
        svg = figures.angle_histogram(angles, _band(predicted, "origin_angle"))
        plots.append(
            Plot("geometry", "latent_angles", svg, f"Histogram of angles at the origin: {_sets(angles)}")
        )
    if acceptance := results.get("sample", {}).get("acceptance"):
        svg = figures.acceptance_bars(acceptance)
        plots.append(Plot("selection", "acceptance", svg, "Bars: share of proposals accepted by each test"))
    if pictures.nearest_distances is not None and len(pictures.nearest_distances):
        line = novelty.get("generated"), novelty.get("held_out")
        svg = figures.distance_histogram(pictures.nearest_distances, *line)
        plots.append(
            Plot("novelty", "nearest_distances", svg, "Histogram of distances to the nearest reference")
        )
    return plots


def _band(predicted: Mapping[str, Any], key: str) -> figures.Band | None:
    mean, sd = predicted.get(f"{key}_mean"), predicted.get(f"{key}_sd")
    return None if mean is None or sd is None else (float(mean), float(sd))


def _sets(arrays: Arrays) -> str:
    return ", ".join(f"{name} with mean {number(float(np.mean(v)))}" for name, v in arrays.items() if len(v))
