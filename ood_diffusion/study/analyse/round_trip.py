"""Image -> latent -> image, by domain, solver and number of steps (claim C1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ood_diffusion.diffusion.solver import Solver
from ood_diffusion.metrics.distances import neighbour_radii
from ood_diffusion.metrics.novelty import nearest
from ood_diffusion.pixels import psnr
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.images import first
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.decode import decode
from ood_diffusion.stages.features import features_in_order, features_of
from ood_diffusion.stages.invert import invert
from ood_diffusion.statistics.estimate import Array, Estimate
from ood_diffusion.statistics.intervals import difference, mean_interval, proportion_interval
from ood_diffusion.study.analyse.settings import AnalyseSettings

ROUNDING = 58.92
"""PSNR in dB of rounding alone, for values spread evenly between bytes: an error of 1/√12 of a byte.

The scale of what cannot be seen, not a limit: a round trip above it gives most bytes back unchanged."""


@dataclass(frozen=True)
class Gallery:
    """The images among which a reconstruction must find its original, and the unit of feature distances.

    Args:
        rows: content digest -> row of `features`.
        features: ``[n, d]``.
        units: domain ("unseen", "training") -> median distance from an image of it to the nearest other one.
    """

    rows: Mapping[str, int]
    features: Tensor
    units: Mapping[str, float]


@dataclass(frozen=True)
class Trip:
    """Round trips of the images of a domain.

    Args:
        domain: "unseen" or "training".
        solver: its name.
        steps: each way.
        calls: network calls of an image, there and back, at most.
        psnr: dB.
        snr: dB above the PSNR of the best picture of one colour.
        feature_distance: to the original, in the gallery's unit.
        retrieved: share that is nearest to its own original.
    """

    domain: str
    solver: str
    steps: int
    calls: int
    psnr: Estimate
    snr: Estimate
    feature_distance: Estimate
    retrieved: Estimate


@dataclass(frozen=True)
class RoundTrips:
    """What `round_trips` finds.

    Args:
        curve: for each domain, solver and number of steps.
        own: domain -> at the run's own solver and steps, of more images of the unseen domain.
        snr_difference: in dB, unseen minus training, there.
        gallery: images in it.
        rounding: `ROUNDING`; None for fields, which are not rounded.
    """

    curve: Sequence[Trip]
    own: Mapping[str, Trip]
    snr_difference: Estimate
    gallery: int
    rounding: float | None


def round_trips(run: Run, settings: AnalyseSettings) -> RoundTrips:
    """Round trips at the run's level and eta 0."""
    gallery, seed = gallery_of(run), run.settings.seed
    few = {domain: first(images, settings.n_round_trip) for domain, images in domains(run).items()}
    curve = [
        trip(run.at(subset=images, eta=0.0, steps=steps, solver=solver), name, domain, gallery)[0]
        for name, solver in solvers(run, settings).items()
        for steps in sorted(set(settings.round_trip_steps))
        for domain, images in few.items()
    ]
    name, many = run.names["solver"], first(run.references, settings.n_latents)
    unseen, unseen_snr = trip(run.at(subset=many, eta=0.0), name, "unseen", gallery)
    own = run.at(subset=few["training"], eta=0.0)
    training, training_snr = trip(own, name, "training", gallery)
    both = {"unseen": unseen, "training": training}
    rounding = ROUNDING if run.dtype == torch.uint8 else None
    return RoundTrips(curve, both, difference(unseen_snr, training_snr, seed), len(gallery.rows), rounding)


def trip(run: Run, solver: str, domain: str, gallery: Gallery) -> tuple[Trip, Array]:
    """Invert and decode the run's references; also returns the `snr` of each image, ``[n]``."""
    invert(run)
    digests, seed = list(run.references), run.settings.seed
    decoded, ids = decode(run, run.bank, digests, f"round trip, {solver}, {run.settings.steps} steps")
    originals = run.pictures.read(list(run.references.values()))
    decibels = psnr(decoded.read(ids), originals)
    flat = originals.double().mean(dim=(2, 3), keepdim=True).expand(originals.shape)
    ratio = (decibels - psnr(flat, originals)).numpy()
    features = features_in_order(run, decoded, ids)
    own = torch.tensor([gallery.rows[digest] for digest in digests])
    distance = (features.double() - gallery.features[own].double()).norm(dim=1) / gallery.units[domain]
    found = int((nearest(features, gallery.features)[1] == own).sum())
    levels, schedule = run.levels, run.model.schedule
    ways = (calls_along(run.solver, schedule, way) for way in (levels, levels[::-1]))
    row = Trip(
        domain,
        solver,
        run.settings.steps,
        sum(way.most for way in ways),
        mean_interval(decibels.numpy(), seed),
        mean_interval(ratio, seed),
        mean_interval(distance.numpy(), seed),
        proportion_interval(found, len(digests)),
    )
    return row, ratio


def gallery_of(run: Run) -> Gallery:
    """Every image at hand: references and held-out images of the unseen domain, and training images."""
    ids = {**run.references, **run.held_out, **run.training_references}
    features = features_of(run, run.pictures, ids)
    rows = {digest: row for row, digest in enumerate(ids)}
    among = {"unseen": run.held_out, "training": run.training_references}
    units = {name: spacing(features[[rows[i] for i in images]]) for name, images in among.items()}
    return Gallery(rows, features, units)


def spacing(features: Tensor) -> float:
    """Median distance from a row of ``[n, d]``, n >= 2, to the nearest other one."""
    return float(neighbour_radii(features, 1).median())


def solvers(run: Run, settings: AnalyseSettings) -> dict[str, Solver]:
    """The run's own solver, and those of the settings that are not the same."""
    own = (run.solver.name, dict(run.solver.settings()))
    others = {
        name: solver
        for name, solver in settings.solvers.items()
        if (solver.name, dict(solver.settings())) != own
    }
    return {run.names["solver"]: run.solver, **others}


def domains(run: Run) -> dict[str, Mapping[str, str]]:
    """Domain -> content digest -> picture id."""
    return {"unseen": run.references, "training": run.training_references}
