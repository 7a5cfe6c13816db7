"""One self-contained HTML file: no network, no script, at most 2 MB, opened by a double click."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, Template
from numpy.typing import NDArray

from ood_diffusion.optional import optional
from ood_diffusion.report import sections, tiles
from ood_diffusion.report.claims_table import ClaimRow, StagePlot, claim_rows, stage_plots
from ood_diffusion.report.figures import save
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.plots import Plot, plots_of
from ood_diffusion.report.results import Results
from ood_diffusion.report.sections import headlines, story
from ood_diffusion.report.wording import FID_WARNING, number, spread
from ood_diffusion.storage.atomic import atomic_write

MAX_BYTES = 2_000_000
PLANS = ((24, True), (24, False), (12, False), (6, False), (2, False))
"""How many tiles of each kind to show and whether without loss, from generous to frugal."""
TEMPLATE = Path(__file__).with_name("template.html.j2")
Arrays = Mapping[str, NDArray[np.floating]]


def write_report(
    path: Path,
    results: Results,
    pictures: Pictures,
    latent_norms: Arrays,
    origin_angles: Arrays,
    pdf: bool = False,
) -> None:
    """Write the page of one run; sections without numbers or images are left out.

    Args:
        path: the HTML file; pictures of claims lie beside it.
        results: the words of `results.json`, as many as there are.
        pictures: the images; the first 24 of each kind are shown, fewer when the page would exceed 2 MB.
        latent_norms: norms of latents per set ("references", "samples"); ``[n]`` each.
        origin_angles: angles at the origin per set, in degrees; ``[n]`` each.
        pdf: whether the plots that are drawn for the page are written as .pdf, too.

    Raises:
        OSError: if the file cannot be written; an older page then stays.
    """
    plots: list[Plot] = []
    with optional("draw the plots of report.html"):
        plots = plots_of(results, pictures, latent_norms, origin_angles)
        for plot in plots:
            save(path.with_name(f"{plot.name}.svg"), plot.drawn, pdf)
    claims, further = claim_rows(results, path.parent), stage_plots(results, path.parent)
    small = pictures.references.shape[-1] <= tiles.LOSSLESS
    for count, lossless in PLANS if small else PLANS[1:]:
        page = render(results, pictures, plots, claims, further, count, lossless).lstrip().encode()
        if len(page) <= MAX_BYTES:
            break
    atomic_write(path, page)


@cache
def template() -> Template:
    """The page's template, compiled."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def render(
    results: Results,
    pictures: Pictures,
    plots: list[Plot],
    claims: list[ClaimRow],
    further: list[StagePlot],
    count: int,
    lossless: bool,
) -> str:
    """Fill the template, showing the first `count` tiles of each kind; every text is escaped."""
    reconstruct: Any = results.get("reconstruct", {})
    return template().render(
        coordinates=results.get("coordinates", {}),
        story=story(results),
        headlines=headlines(results),
        psnr=spread(reconstruct.get("psnr_mean"), reconstruct.get("psnr_sd"), "\u00a0dB"),
        reconstruct=reconstruct,
        reference_tiles=tiles.references(pictures, count, lossless),
        sample_tiles=tiles.samples(pictures, count, lossless),
        total_references=results.get("coordinates", {}).get("n_references", len(pictures.references)),
        total_samples=results.get("sample", {}).get(
            "accepted", 0 if pictures.samples is None else len(pictures.samples)
        ),
        paired={"references": pictures.reconstructions is not None, "samples": pictures.nearest is not None},
        pixelated=pictures.references.shape[-1] <= 128,
        metrics=sections.metric_table(results, "report"),
        others=sections.other_table(results),
        geometry=sections.geometry_table(results),
        selection=sections.selection_table(results),
        novelty=sections.novelty_table(results),
        cost=sections.cost_table(results),
        peak_memory=results.get("cost", {}).get("peak_memory_mib"),
        plots=plots,
        claims=claims,
        further=further,
        command=results.get("command", ""),
        data=sections.data_lists(results),
        versions=results.get("versions", {}),
        weights=results.get("weights", {}),
        weights_equal=sections.weights_equal(results),
        num_features=results.get("metrics", {}).get("num_features"),
        fid_warning=FID_WARNING,
        number=number,
    )
