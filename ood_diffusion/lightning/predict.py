"""Run a module over the items whose results are not on disk yet."""

from collections.abc import Mapping
from typing import NamedTuple

from ood_diffusion.diffusion.solver import Convergence
from ood_diffusion.lightning.loop import Loop, Predictor
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.storage.store import TensorStore


class Done(NamedTuple):
    """What `predict_into` did.

    Args:
        items: that were computed; those already in the target are not computed again.
        convergence: of the implicit steps of these items, on all ranks.
    """

    items: int = 0
    convergence: Convergence = Convergence()


def predict_into(
    target: TensorStore,
    source: TensorStore,
    ids: Mapping[str, str],
    module: Predictor,
    ranks: Ranks,
    batch_size: int,
    description: str,
) -> Done:
    """Fill `target` with the module's predictions for items of `source`, on all ranks.

    The next batch is loaded and the last ones are written while one is computed. When this returns or
    raises, every finished batch is on disk.

    Args:
        target: where the results go.
        source: where the inputs are.
        ids: result id -> input id, in order.
        module: computes them.
        ranks: who computes; this is called on rank 0 only.
        batch_size: rows per network call, lowered to the number of items asked for.
        description: shown beside the progress bar.

    Raises:
        UserError: if nothing may be written, or results are missing afterwards although no rank has failed.
    """
    convergence = Convergence()

    def make(missing: list[str]) -> None:
        nonlocal convergence
        wanted = {i: ids[i] for i in missing}
        loop = Loop(target, source, wanted, module, min(batch_size, len(ids)), description)
        convergence += ranks.run(loop).convergence

    made = target.fill(list(ids), make, first=next(iter(ids), ""))
    return Done(made, convergence)
