"""What the cell found, for people: one HTML page and picture grids."""

from typing import cast

from torch import Tensor

from ood_diffusion.metrics.novelty import nearest as nearest_of
from ood_diffusion.optional import optional
from ood_diffusion.report.html import write_report
from ood_diffusion.report.pictures import Pictures, grid, pair_grid, png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.runs.cell import Cell
from ood_diffusion.stages.evaluate import features_in_order, features_of, samples_of
from ood_diffusion.stages.reconstruct import reconstruction_ids
from ood_diffusion.stages.sample import latent_figures
from ood_diffusion.storage.atomic import atomic_write

SHOWN = 64
"""Pictures of each kind that go to the report and its grids."""


def report(cell: Cell) -> None:
    """Write `report.html` and the PNG grids to the run folder, from what is in the store."""
    cell.page.unlink(missing_ok=True)  # of an earlier attempt
    pictures = collect_pictures(cell)
    latents = latent_figures(cell) if pictures.samples is not None else {"norms": {}, "origin_angles": {}}
    with optional("write the picture grids"):
        for name, image in picture_grids(pictures).items():
            atomic_write(cell.run_folder / f"{name}.png", png_bytes(image))
    with optional("write report.html"):
        found = cast(Results, cell.results)
        write_report(cell.page, found, pictures, latents["norms"], latents["origin_angles"])


def collect_pictures(cell: Cell) -> Pictures:
    """References and, where their stages have run, reconstructions, samples and nearest references."""
    references = list(cell.references)[:SHOWN]
    shown = cell.pictures.read([cell.references[i] for i in references])
    rebuilt = nearest = distances = samples = None
    if "reconstruct" in cell.results:
        ids = reconstruction_ids(cell)
        rebuilt = cell.images(eta=0.0).read([ids[i] for i in references])
    if "sample" in cell.results:
        store, names = samples_of(cell)
        samples = store.read(names[:SHOWN])
        if "metrics" in cell.results:
            given = features_of(cell, cell.pictures, cell.references)
            far, index = nearest_of(features_in_order(cell, store, names[:SHOWN]), given)
            everyone = list(cell.references.values())
            nearest = cell.pictures.read([everyone[int(i)] for i in index])
            distances = far.numpy()
    return Pictures(shown, rebuilt, samples, nearest, distances)


def picture_grids(pictures: Pictures) -> dict[str, Tensor]:
    """File name -> sheet of pictures."""
    sheets = {"references": grid(pictures.references, 8)}
    if pictures.reconstructions is not None:
        sheets["reconstructions"] = pair_grid(pictures.references, pictures.reconstructions, pairs=4)
    if pictures.samples is not None:
        sheets["samples"] = grid(pictures.samples, 8)
    if pictures.samples is not None and pictures.nearest is not None:
        sheets["samples_and_nearest"] = pair_grid(pictures.samples, pictures.nearest, pairs=4)
    return sheets
