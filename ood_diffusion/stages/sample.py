"""Bank of latents -> prior -> new latents -> new images of the unseen domain."""

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from ood_diffusion.figures import EVERYWHERE, Figure
from ood_diffusion.geometry.gram import distances, gram, isotropic, squared_norms
from ood_diffusion.geometry.within import within
from ood_diffusion.report.plan.work import Share, Work
from ood_diffusion.report.results import LatentGeometry, Results, Samples
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.samplers.propose import Acceptance
from ood_diffusion.stages.decode import decode
from ood_diffusion.statistics.estimate import Array
from ood_diffusion.storage.record import read_record, write_record
from ood_diffusion.storage.store import TensorStore

ACCEPTANCE = "acceptance.json"
SHOWN = 512
"""Latents used for the geometry figures: enough for their standard errors, bounded in memory."""


@dataclass(frozen=True)
class Sample(Stage):
    """Draws what is not drawn yet, decodes what is not decoded yet, and describes the latents."""

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "draws"})
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "sample/share_kept",
            "acceptance",
            label="latents kept",
            unit="share",
            says="share of proposed latents that the selection keeps",
            surfaces=EVERYWHERE - {"collect", "tracking"},
        ),
    )

    def __call__(self, run: Run, earlier: Results) -> Results:
        """What was drawn and kept, and where the latents lie."""
        draws, ids = sample(run)
        kept = cast(Samples, read_record(draws.folder / ACCEPTANCE))
        spread = run.model.schedule.spread(run.levels[-1])
        latents = run.bank.read(list(run.references)[:SHOWN]) / spread
        drawn = draws.read(ids[:SHOWN]) / spread
        return {
            "sample": {
                **kept,
                "share_kept": kept["accepted"] / kept["proposed"],
                "nearest_reference_latent": nearest_reference(drawn, latents),
            },
            "latents": {
                "references": geometry(latents),
                "samples": geometry(drawn),
                "isotropic": cast(LatentGeometry, isotropic(latents[0].numel())),
            },
        }

    def share(self, run: Run, known: Known) -> Share:
        """A trajectory downwards for each sample."""
        down = calls_along(run.solver, run.model.schedule, run.levels[::-1], run.settings.eta)
        folder = str(run.decoded(run.settings.eta).folder)
        fewer = "fewer calls to sample, where it keeps latents that are decoded already"
        notes = [f"selection={run.names['selection']}: {fewer}"] if run.selection.tests else []
        return Share([Work("sample", folder, known.samples, down, known.batch)], known.bank, notes)


def sample(run: Run) -> tuple[TensorStore, list[str]]:
    """Draw latents and decode them.

    Returns:
        The store of the draws, and their ids in order.
    """
    draws, ids = draw(run)
    decode(run, draws, ids, "sample")
    return draws, ids


def draw(run: Run) -> tuple[TensorStore, list[str]]:
    """The store of this run's draws and their ids, in order; drawn on the first call only."""
    recipe = run.draws_recipe(list(run.references))
    store = run.workspace.stores.open("draws", recipe, torch.float32)
    ids = [f"{i:06d}" for i in range(run.settings.n_samples)]
    if not undrawn(store, ids):
        return store, ids
    store.check_writable(store.missing(ids) or [ACCEPTANCE])
    with store.exclusive():
        if not undrawn(store, ids):  # another process drew them meanwhile
            return store, ids
        missing = set(store.missing(ids))  # none of them after a death just before ACCEPTANCE
        spread = run.model.schedule.spread(run.levels[-1])
        bank = run.bank.read(list(run.references)) / spread
        proposer, acceptance, done = run.proposer().fitted(bank, run.reference_pictures), Acceptance(), 0
        for latents in proposer.items(acceptance):
            own = enumerate(ids[done : done + len(latents)])
            if rows := [row for row, name in own if name in missing]:
                store.write([ids[done + row] for row in rows], spread * latents[rows])
            done += len(latents)
        report = {
            "proposed": acceptance.proposed,
            "accepted": acceptance.accepted,
            "acceptance": acceptance.rates(),
            "prior": proposer.prior.learned(),
        }
        write_record(store.folder / ACCEPTANCE, report)
    return store, ids


def undrawn(store: TensorStore, ids: list[str]) -> list[str]:
    """What of a run's draws is missing: ids, and the file about their acceptance, which comes last."""
    return store.missing(ids) + [ACCEPTANCE] * (not read_record(store.folder / ACCEPTANCE))


def geometry(latents: Tensor) -> LatentGeometry:
    """Mean and standard deviation of norms, origin angles, pair distances and vertex angles.

    Args:
        latents: float ``[n, C, H, W]``, n >= 3.

    Returns:
        Angles in degrees; names as in `geometry.gram.isotropic`.
    """
    summary: dict[str, float] = {}
    for name, values in within(gram(latents, latents)).items():
        summary[f"{name}_mean"] = float(values.mean())
        summary[f"{name}_sd"] = float(values.std())
    return cast(LatentGeometry, summary)


def nearest_reference(drawn: Tensor, references: Tensor) -> float:
    """Mean distance of a draw to its nearest reference over the mean distance among references.

    Near 1 for draws as far from the references as these are from each other, 0 for copies.
    """
    square = squared_norms(references)
    to_references = distances(gram(drawn, references), squared_norms(drawn), square)
    among = distances(gram(references, references), square, square)
    off_diagonal = among.sum() / (len(references) * (len(references) - 1))
    return float(to_references.min(dim=1).values.mean() / off_diagonal)


def latent_figures(run: Run) -> dict[str, dict[str, Array]]:
    """Norms and origin angles of references and samples, as arrays for the report."""
    draws, ids = draw(run)
    sets = {"references": run.bank.read(list(run.references)[:SHOWN]), "samples": draws.read(ids[:SHOWN])}
    norms, angles = {}, {}
    for name, latents in sets.items():
        found = within(gram(latents, latents))
        norms[name], angles[name] = found["norm"].numpy(), found["origin_angle"].numpy()
    return {"norms": norms, "origin_angles": angles}
