"""What the run found, for people: one HTML page and picture grids."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.metrics.novelty import nearest as nearest_of
from ood_diffusion.optional import optional
from ood_diffusion.report.html import write_report
from ood_diffusion.report.pictures import Pictures, grid, pair_grid, png_bytes
from ood_diffusion.report.plan.work import Share
from ood_diffusion.report.results import Results
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Stage
from ood_diffusion.stages.evaluate import samples_of
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.reconstruct import reconstruction_ids
from ood_diffusion.stages.sample import latent_figures
from ood_diffusion.storage.atomic import atomic_write

SHOWN = 64
"""Pictures of each kind that go to the report and its grids."""


@dataclass(frozen=True)
class Report(Stage):
    """Writes `report.html` and the picture grids to the run folder, from what is in the store.

    Args:
        pdf: whether the plots of the page are written as .pdf beside their .svg.
    """

    pdf: bool = False
    last: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the setting."""
        require(isinstance(self.pdf, bool), "stage.report.pdf must be true or false", self.pdf, "Try true.")

    def __call__(self, run: Run, earlier: Results) -> Results:
        """Adds nothing to the results."""
        page = run.workspace.page
        page.unlink(missing_ok=True)  # of an earlier attempt
        pictures = self.pictures(run, earlier)
        latents = latent_figures(run) if pictures.samples is not None else {"norms": {}, "origin_angles": {}}
        with optional("write the picture grids"):
            for name, image in picture_grids(pictures).items():
                atomic_write(run.workspace.folder / f"{name}.png", png_bytes(image))
        with optional("write report.html"):
            write_report(page, earlier, pictures, latents["norms"], latents["origin_angles"], self.pdf)
        return {}

    def share(self, run: Run, known: Known) -> Share:
        """No network calls."""
        return Share()

    def pictures(self, run: Run, results: Results) -> Pictures:
        """References and, where their stages have run, reconstructions, samples and nearest references."""
        references = list(run.references)[:SHOWN]
        shown = run.view(run.pictures.read([run.references[i] for i in references]))
        rebuilt = nearest = distances = samples = None
        if "reconstruct" in results:
            ids = reconstruction_ids(run)
            rebuilt = run.view(run.decoded(eta=0.0).read([ids[i] for i in references]))
        if "sample" in results:
            store, names = samples_of(run)
            samples = run.view(store.read(names[:SHOWN]))
            if "metrics" in results:
                given = features_of(run, run.pictures, run.references)
                far, index = nearest_of(features_in_order(run, store, names[:SHOWN]), given)
                everyone = list(run.references.values())
                nearest = run.view(run.pictures.read([everyone[int(i)] for i in index]))
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
