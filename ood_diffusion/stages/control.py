"""The run's samples without its network: images that the samples are compared with, one by one."""

import logging

from ood_diffusion.checks import UserError
from ood_diffusion.controls.base import Noise
from ood_diffusion.pixels import as_stored
from ood_diffusion.runs.run import Run
from ood_diffusion.storage.store import Gone, TensorStore

log = logging.getLogger(__name__)


def controls_of(run: Run) -> dict[str, tuple[TensorStore, list[str]]]:
    """Store and ids of every control that can be made; one that cannot is warned of, and costs no result."""
    found = {}
    for name in run.controls:
        try:
            found[name] = control_images(run, name)
        except Gone:  # the stages start over
            raise
        except UserError as error:
            log.warning("No control %s: %s", name, error)
    return found


def control_images(run: Run, name: str) -> tuple[TensorStore, list[str]]:
    """Make what is not in the store yet of a control.

    Args:
        run: whose recipe and references.
        name: of one of `Run.controls`.

    Returns:
        The store of images, of the references' dtype and shape, and the ids in the order of the samples.

    Raises:
        UserError: if the selection keeps too few.
    """
    control, proposer = run.controls[name], run.proposer()
    schedule, level = run.model.schedule, run.levels[-1]
    noise = Noise(schedule.alpha(level), schedule.sigma(level))
    recipe = {
        **run.draw_recipe,
        "control": run.control_recipes[name],
        "references": list(run.references),
        "seed": run.settings.seed,
        **control.recipe(noise),
    }
    store = run.workspace.stores.open("controls", recipe, run.dtype)
    ids = [f"{i:06d}" for i in range(proposer.n)]

    def make(missing: list[str]) -> None:
        pictures = run.reference_pictures()
        wanted, first = set(missing), 0
        for block in control.images(pictures, proposer, noise):
            names = ids[first : first + len(block)]
            rows = [i for i, name in enumerate(names) if name in wanted]
            if rows:
                store.write([names[i] for i in rows], as_stored(block[rows], store.dtype))
            first += len(block)

    store.fill(ids, make)
    return store, ids
