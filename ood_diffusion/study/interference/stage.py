"""Which domain do new images belong to, and does fresh noise pull them to the training domain?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.check import Check
from ood_diffusion.domains.base import SPLITS
from ood_diffusion.figures import Figure
from ood_diffusion.metrics.novelty import COPY_QUANTILE, nearest
from ood_diffusion.metrics.probe import FOLDS
from ood_diffusion.metrics.texture import SMALLEST, Texture
from ood_diffusion.optional import optional
from ood_diffusion.report.figures import save
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.runs.assemble import build, with_code
from ood_diffusion.runs.feasible import check_learners, require_images
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.control import controls_of
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.evaluate import TWIN, samples_of
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.sample import draw
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_influence, fid_interval, total
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.study.interference.held_out import (
    HeldOut,
    capture_rate,
    figures,
    held_out_of,
    place,
    precision_of,
    quality,
)
from ood_diffusion.study.interference.plots import capture_curve, fid_curves, sampler_bars
from ood_diffusion.study.interference.section import AtEta, Figures, InterferenceSection, Own, Place
from ood_diffusion.study.interference.settings import OWN, InterferenceSettings
from ood_diffusion.study.interference.verdict import (
    beats_twin,
    captured_more,
    drifted,
    nearer_than_training_domain,
    new,
    not_defined,
    of_the_domain,
    unbridged,
)

CAPTURE, FID, SAMPLERS = "interference_capture.svg", "interference_fid.svg", "interference_samplers.svg"
ETA_GRID, SAMPLER_GRID = "interference_eta.png", "interference_samplers.png"
SHOWN = 8
"""Latents in the picture grids."""


@dataclass(frozen=True)
class Interference(InterferenceSettings, Stage):
    """A probe of the domain on the run's own samples, the same latents at every eta, and other samplers."""

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "states", "draws", "metrics"})
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "interference/training_domain/fid_unseen/value",
            "gap",
            label="domain gap",
            says="FID between the unseen domain and the training domain",
            interval="interference/training_domain/fid_unseen",
            surfaces=frozenset({"report", "dashboard"}),
        ),
        Figure(
            "interference/own/capture/value",
            "capture",
            label="captured",
            better="lower",
            unit="share",
            says="fraction of samples that a probe assigns to the training domain",
            interval="interference/own/capture",
            surfaces=frozenset({"report", "leaderboard", "dashboard"}),
        ),
    )

    def __call__(self, run: Run, earlier: Results) -> dict[str, InterferenceSection]:
        """The figures, and the checks of C5 and C7."""
        seed, n = run.settings.seed, min(self.n_images, run.settings.n_samples)
        etas = sorted({float(eta) for eta in self.etas if eta == 0 or run.solver.stochastic})
        sweep = [run.at(eta=eta, n_samples=n) for eta in etas]
        others = with_samplers(run, self, n)
        references = features_of(run, run.pictures, run.references)
        held_out = held_out_of(run)
        probe = quality(held_out)
        readable = probe.accuracy.low > self.least_accuracy

        invert(run)
        own, own_pictures = new_images(run, "sample")
        at_eta = [new_images(child, f"sample, eta {child.settings.eta:g}") for child in sweep]
        by_sampler = {OWN: (own[:n], own_pictures)} | {
            name: new_images(child, f"sample, {name}") for name, child in others.items()
        }
        curve = [
            AtEta(**vars(figures(held_out, x, seed)), eta=eta)
            for eta, (x, _) in zip(etas, at_eta, strict=True)
        ]
        compared = {name: figures(held_out, x, seed) for name, (x, _) in by_sampler.items()}
        gap = place(held_out, held_out.training[:n], seed)

        found, checks = generation(run, self, held_out, own, references)
        added = network_adds(run, own, held_out.unseen)
        checks += [beats_twin(each, space, SAMPLER_GRID) for space, each in added.items()]
        checks += noise_checks(self, held_out, [x for x, _ in at_eta], etas, seed, readable)
        if len(etas) < len(set(self.etas)):
            checks.append(not_defined(run.names["solver"]))
        with optional("draw the plots of interference"):
            draw_figures(run, curve, compared, gap, probe.false_capture)
        for name, sets in ((ETA_GRID, at_eta), (SAMPLER_GRID, list(by_sampler.values()))):
            sheet = torch.cat([pictures for _, pictures in sets])
            with optional(f"draw {name}"):
                atomic_write(run.workspace.folder / name, png_bytes(grid(sheet, min(SHOWN, n))))
        section = InterferenceSection(
            probe=probe,
            own=found,
            network_adds={space: each for space, each in added.items() if each},
            n_judges=len(held_out.equal[0]),
            training_domain=gap,
            etas=curve,
            samplers=compared,
            checks=checks,
        )
        return {"interference": section}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless probe and samplers have the images that they need.

        Images that are equal pixel by pixel count once, which is not known before they are read; `fit_probe`
        refuses what is then too few.
        """
        least = {
            "n_training": FOLDS,
            "n_held_out": 2 * FOLDS,  # half of them to fit the probe, half to check it
            "n_references": 2,
            "n_samples": 2,
        }
        require_images(run, "interference", least, SPLITS)
        require(
            TWIN in run.controls,
            "the stage interference needs the control twin",
            list(run.controls),
            "Add twin to control.",
        )
        with_samplers(run, self, run.settings.n_samples)


def with_samplers(run: Run, settings: InterferenceSettings, n: int) -> dict[str, Run]:
    """Name -> the run with that way to propose `n` latents; `UserError` if it needs more references."""
    return {
        name: with_sampler(run, name, parts, n_samples=n) for name, parts in (settings.samplers or {}).items()
    }


def network_adds(run: Run, own: Tensor, unseen: Tensor) -> dict[str, Estimate | None]:
    """Distances of the run's samples to held-out images minus those of their twin, in two spaces.

    Args:
        run: with the control `TWIN`.
        own: features of the samples ``[n, d]``.
        unseen: of held-out images ``[m, d]``.

    Returns:
        "FID", and "texture": the sum over three scales; None where there is no twin, or no texture in images
        so small.
    """
    found: dict[str, Estimate | None] = {"FID": None, "texture": None}
    if (twin := controls_of(run).get(TWIN)) is None:
        return found
    made = samples_of(run)
    paired = fid_influence(own, unseen).minus(fid_influence(features_in_order(run, *twin), unseen))
    found["FID"] = paired.interval()
    if min(run.model.image_shape[1:]) >= SMALLEST:
        real = run.view(run.pictures.read(list(run.held_out.values())))
        ours, theirs = (
            total(Texture().influences(real, run.view(store.read(ids))).values())
            for store, ids in (made, twin)
        )
        found["texture"] = ours.minus(theirs).interval()
    return found


def new_images(run: Run, description: str) -> tuple[Tensor, Tensor]:
    """Features ``[n, d]`` of the run's samples in the order of its draws, and the first `SHOWN` pictures."""
    draws, ids = draw(run)
    images, names = decode(run, draws, ids, description)
    return features_in_order(run, images, names), run.view(images.read(names[:SHOWN]))


def noise_checks(
    settings: InterferenceSettings,
    held_out: HeldOut,
    images: Sequence[Tensor],
    etas: Sequence[float],
    seed: int,
    readable: bool,
) -> list[Check]:
    """The rows of C7: the largest eta against eta 0, latent by latent; none where eta 0 is all there is."""
    if len(etas) < 2:
        return []
    most, without, eta = held_out.probe.scores(images[-1]), held_out.probe.scores(images[0]), etas[-1]
    return [
        captured_more(most, without, eta, settings.negligible, readable, CAPTURE),
        drifted(most, without, held_out.ends, eta, seed, readable, ETA_GRID),
    ]


def generation(
    run: Run, settings: InterferenceSettings, held_out: HeldOut, own: Tensor, references: Tensor
) -> tuple[Own, list[Check]]:
    """The figures and rows of C5, of all the run's samples; FIDs, which fall with n, of equal numbers."""
    n = min(len(own), len(references), len(held_out.training))
    sets = {"samples": own[:n], "references": references[:n], "training": held_out.training[:n]}
    fid = {name: fid_interval(x, held_out.unseen) for name, x in sets.items()}
    whole = {"samples": own, "references": references, "training": held_out.training}
    precision = {name: precision_of(x, held_out.unseen) for name, x in whole.items()}
    far, unseen = (nearest(x, references)[0] for x in (own, held_out.unseen))
    limit = torch.quantile(unseen, COPY_QUANTILE)
    copies, chance = (proportion_interval(int((x < limit).sum()), len(x)) for x in (far, unseen))
    found = Own(
        eta=run.settings.eta,
        n=n,
        capture=capture_rate(held_out.probe.scores(own)),
        copies=copies,
        fid=fid,
        precision=precision,
        unbridged=unbridged(fid["samples"], fid["references"], fid["training"]),
    )
    checks = [
        of_the_domain(precision["samples"], precision["references"], settings.precision_share, SAMPLER_GRID),
        new(copies, chance, settings.copy_margin, "samples_and_nearest.png"),
        nearer_than_training_domain(fid["samples"], fid["training"], SAMPLERS),
    ]
    return found, checks


def draw_figures(
    run: Run,
    curve: Sequence[AtEta],
    compared: Mapping[str, Figures],
    gap: Place,
    false_capture: Estimate,
) -> None:
    """Write the three plots to the run folder."""
    plots = {SAMPLERS: sampler_bars(compared, false_capture, gap)}
    if len(curve) > 1:
        plots |= {CAPTURE: capture_curve(curve, false_capture), FID: fid_curves(curve, gap)}
    for name, drawn in plots.items():
        save(run.workspace.folder / name, drawn)


PARTS = ("prior", "sampler", "selection")


def with_sampler(run: Run, name: str, parts: Mapping[str, Mapping[str, Any]], **knobs: Any) -> Run:
    """A child with this prior, sampler and selection.

    Its draws have the address that they have in a run with the three as its own, so each finds the other's.

    Args:
        run: the parent.
        name: what error messages call it.
        parts: the composed settings of the groups in `PARTS`, as plain dictionaries.
        knobs: passed on to `Run.at`.

    Raises:
        UserError: if a group is missing or another there, or one needs more references than the run has.
    """
    require(set(parts) == set(PARTS), f"{name} must hold {PARTS}", sorted(parts), "Set all three.")
    selection = dict(parts["selection"])
    child = run.at(
        draw_recipe={group: with_code(parts[group]) for group in PARTS},
        max_proposals=selection.pop("max_proposals"),
        prior=build(dict(parts["prior"])),
        sampler=build(dict(parts["sampler"])),
        selection=build(selection),
        names={**run.names, **dict.fromkeys(PARTS, name)},
        **knobs,
    )
    check_learners(child)
    return child
