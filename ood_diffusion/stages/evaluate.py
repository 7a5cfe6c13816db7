"""New images against held-out images of the domain: FID, KID, precision, recall, novelty."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from ood_diffusion.fingerprint import architecture, weights_digest
from ood_diffusion.lightning.features import FeaturePass
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import tensors_of
from ood_diffusion.report.plan.work import Share
from ood_diffusion.report.results import Metrics, Results
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.source import identity, is_foreign, network_identity
from ood_diffusion.stages.reconstruct import reconstruction_ids
from ood_diffusion.stages.sample import draw
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval, kid_interval
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.storage.store import TensorStore

FEATURE_BATCH = 64
"""Images per call of the extractor, whatever the diffusion model's batch size."""


@dataclass(frozen=True)
class Evaluate(Stage):
    """Judges samples, reconstructions and the references themselves by the held-out images.

    The references are the yardstick: real images of the domain score what a perfect sampler would
    score at that number of images.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "features", "metrics"})

    def __call__(self, run: Run, earlier: Results) -> Results:
        """All metrics of the three sets."""
        return {"metrics": evaluate(run)}

    def share(self, run: Run, known: Known) -> Share:
        """No network calls, but the samples must be there."""
        folder = str(run.decoded(run.settings.eta).folder)
        return Share(needs={**known.bank, folder: known.samples})


def evaluate(run: Run) -> Metrics:
    """The judgement of the run's samples, references and, where there are any, reconstructions."""
    judge = features_of(run, run.pictures, run.held_out)
    references = features_of(run, run.pictures, run.references)
    samples = features_in_order(run, *samples_of(run))
    rebuilt = list(reconstruction_ids(run).values())
    decoded = run.decoded(eta=0.0)
    sets = {"samples": samples, "references": references}
    if not decoded.missing(rebuilt):
        sets["reconstructions"] = features_in_order(run, decoded, rebuilt)
    scores = {name: score(run.make_metrics, judge, generated) for name, generated in sets.items()}
    found = {
        "extractor": run.extractor.name,
        "num_features": run.extractor.num_features,
        "n_real": len(judge),
        "better": better(run.make_metrics),
        "sets": scores,
        "intervals": {name: intervals(scores[name], judge, generated) for name, generated in sets.items()},
        "novelty": novelty(samples, references, judge),
        "making": making(run),
    }
    return cast(Metrics, found)  # whose sets may hold a user's metrics too


def samples_of(run: Run) -> tuple[TensorStore, list[str]]:
    """The store of the run's new images, and their ids in the order of sampling, repeats included."""
    draws, ids = draw(run)
    return run.decoded(run.settings.eta), run.decoded_ids(draws.digests(ids))


def features_of(run: Run, source: TensorStore, ids: Mapping[str, str]) -> Tensor:
    """Features ``[n, d]`` of images given as content digest -> id in `source`; each is computed once."""
    store = run.workspace.stores.open("features", feature_recipe(run.extractor), torch.float32)
    run.predict(store, source, ids, FeaturePass(run.extractor), "features", FEATURE_BATCH)
    return store.read(list(ids))


def feature_recipe(extractor: FeatureExtractor) -> dict[str, Any]:
    """Everything that determines the features of an image; of a user's extractor also its attributes."""
    code = [identity(extractor), *network_identity(extractor)]
    recipe = {"extractor": extractor.name, "weights": extractor.digest, "code": code}
    if not is_foreign(type(extractor)):
        return recipe
    tensors = weights_digest(tensors_of(extractor))
    return {**recipe, "tensors": tensors, "attributes": architecture(extractor)}


def features_in_order(run: Run, source: TensorStore, ids: Sequence[str]) -> Tensor:
    """Features ``[len(ids), d]`` of images in `source`; images that are equal have equal rows."""
    digests = source.digests(ids)
    unique = dict(zip(digests, ids, strict=True))
    rows = dict(zip(unique, features_of(run, source, unique), strict=True))
    return torch.stack([rows[digest] for digest in digests])


def score(make_metrics: Mapping[str, Callable[[], Any]], real: Tensor, generated: Tensor) -> dict[str, float]:
    """All metrics of one set, and how many images it has."""
    metrics = MetricCollection({name: make() for name, make in make_metrics.items()})
    for metric in metrics.values():
        metric.distributed_available_fn = lambda: False  # whatever rank computed a feature, all are here
    for features, is_real in ((real, True), (generated, False)):
        metrics.update(features, real=is_real)
    return {"n": len(generated), **{name: float(value) for name, value in metrics.compute().items()}}


def intervals(found: Mapping[str, float], real: Tensor, generated: Tensor) -> dict[str, dict[str, float]]:
    """95 % intervals of the figures in `found` that have one, each as the fields of an `Estimate`.

    FID and KID: for their expectation at these numbers of images, with other draws and other held-out images
    but the same references, of which all draws are made: other references, if few, move FID by more.
    Precision: other generated images, the same real ones. Recall: other real images, the same generated ones.
    Density and coverage are no means over independent images and get none.
    """
    made: dict[str, Estimate] = {}
    if "fid" in found:
        made["fid"] = fid_interval(generated, real)
    if "kid" in found and min(len(generated), len(real)) >= 3:
        made["kid"] = kid_interval(generated, real)
    for name, n in (("precision", len(generated)), ("recall", len(real))):
        if name in found:
            made[name] = proportion_interval(round(found[name] * n), n)
    return {name: dict(vars(estimate)) for name, estimate in made.items()}


def making(run: Run) -> dict[str, Any]:
    """What the samples depend on and cost: network calls to invert a reference and to denoise a sample.

    An implicit solver may need fewer calls; rejected proposals cost none.
    """
    down = run.levels[::-1]
    up, eta = calls_along(run.solver, run.model.schedule, run.levels), run.settings.eta
    return {
        "uses_prior": run.sampler.uses_prior,
        "calls_per_reference": up.most,
        "calls_per_sample": calls_along(run.solver, run.model.schedule, down, eta).most,
    }


def better(make_metrics: Mapping[str, Callable[[], Any]]) -> dict[str, str]:
    """Metric name -> "higher" or "lower", as each metric class says; left out where neither is."""
    words = {True: "higher", False: "lower"}
    found: dict[str, str] = {}
    for make in make_metrics.values():
        metric = make()
        if metric.higher_is_better is not None:
            found |= dict.fromkeys(metric.names, words[metric.higher_is_better])
    return found
