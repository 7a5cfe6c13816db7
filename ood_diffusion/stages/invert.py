"""References -> bank of latents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ood_diffusion.diffusion.solver import Convergence
from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.report.plan.work import Share, Work
from ood_diffusion.report.results import Results, Solver
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Stage
from ood_diffusion.storage.store import TensorStore


@dataclass(frozen=True)
class Invert(Stage):
    """Inverts the references that are not in the bank yet."""

    def __call__(self, run: Run, earlier: Results) -> Results:
        """What an implicit solver found; of references that were in the bank already, nothing."""
        convergence = invert(run)
        return {"solver": cast(Solver, convergence.report())} if convergence.steps else {}

    def share(self, run: Run, known: Known) -> Share:
        """A trajectory upwards for each reference."""
        ((folder, items),) = known.bank.items()
        up, name = calls_along(run.solver, run.model.schedule, run.levels), run.names["solver"]
        stops = (
            f"solver={name} stops when an image has converged: {up.least} to {up.most} calls to invert one"
        )
        notes = [stops] if up.least < up.most else []
        return Share([Work("invert", folder, items, up, known.batch)], known.bank, notes)


def invert(run: Run) -> Convergence:
    """Bring the references of a run, at its level, into the bank."""
    return invert_images(run, run.pictures, run.references)


def invert_images(run: Run, images: TensorStore, ids: Mapping[str, str]) -> Convergence:
    """Invert what is not in the bank yet of `images`; `ids`: content digest -> id there."""
    module = Inverter(run.model, run.solver, run.levels)
    return run.predict(run.bank, images, ids, module, "invert")
