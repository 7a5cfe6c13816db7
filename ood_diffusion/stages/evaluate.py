"""New images against held-out images of the domain: FID, KID, precision, recall, novelty."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor
from torchmetrics import MetricCollection

from ood_diffusion.figures import EVERYWHERE, Figure, Surface
from ood_diffusion.fingerprint import described, fingerprint, tensor_digest
from ood_diffusion.metrics.feature_metric import FeatureMetric
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.optional import optional
from ood_diffusion.report.influences import FILE, in_order, keep
from ood_diffusion.report.plan.work import Share
from ood_diffusion.report.results import Making, Metrics, Results
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.control import controls_of
from ood_diffusion.stages.features import features_in_order
from ood_diffusion.stages.reconstruct import reconstruction_ids
from ood_diffusion.stages.sample import draw
from ood_diffusion.statistics.feature_intervals import Influence
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.storage.store import TensorStore

MakeMetrics = Mapping[str, Callable[[], FeatureMetric]]
"""By name, what builds a metric that has seen nothing yet."""
Sides = Mapping[str, tuple[Tensor, Tensor]]
"""The held-out images and those that are judged, in each form that metrics take (`FeatureMetric.takes`)."""
TWIN = "twin"
"""The control that says what the network adds: the recipe of the run on pixels (`conf/control/twin.yaml`)."""
Bounds = dict[str, dict[str, float]]
"""The fields of an `Estimate`, by figure."""
JUDGED: dict[str, tuple[dict[str, float], Bounds, dict[str, Influence]]] = {}
"""Figures, intervals and influences of sets that this process has judged, by fingerprint."""
MOST = 64
"""Sets whose figures a process remembers."""
SHOWN = (TWIN, "noiseless")
"""Controls to which the difference of FID is shown wherever FID is."""


@dataclass(frozen=True)
class Evaluate(Stage):
    """Compares samples, controls, reconstructions and the references themselves with the held-out images.

    The references are the yardstick: real images of the domain score what a perfect sampler would
    score at that number of images.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "features", "metrics"})
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "metrics/novelty/ratio",
            "novelty",
            says="1: as far from the references as unseen images are; 0: copies",
        ),
        Figure(
            "metrics/novelty/copies",
            label="near-copies",
            better="lower",
            unit="share",
            says="share closer to a reference than 99 % of unseen images are",
            interval="metrics/intervals/samples/copies",
            surfaces=EVERYWHERE - {"collect", "tracking"},
        ),
        Figure(
            "metrics/making/calls_per_image",
            "cost",
            label="calls per image",
            better="lower",
            says="network calls, including a share of the inversions",
            surfaces=frozenset({"report", "leaderboard", "dashboard"}),
        ),
        Figure("metrics/making/calls_per_reference", better="lower", surfaces=frozenset()),
        Figure("metrics/making/calls_per_sample", better="lower", surfaces=frozenset()),
    )

    def declared(self, run: Run) -> list[Figure]:
        """The metrics' and its own."""
        return [*figures_of(run), *self.figures]

    def __call__(self, run: Run, earlier: Results) -> Results:
        """All metrics of every set, and what the network adds."""
        return {"metrics": evaluate(run)}

    def share(self, run: Run, known: Known) -> Share:
        """No network calls, but the samples must be there."""
        folder = str(run.decoded(run.settings.eta).folder)
        return Share(needs={**known.bank, folder: known.samples})


def evaluate(run: Run) -> Metrics:
    """All metrics of samples, references and controls, and of reconstructions where there are any."""
    rebuilt, decoded = list(reconstruction_ids(run).values()), run.decoded(eta=0.0)
    controls = controls_of(run)
    stored = {
        "held_out": (run.pictures, list(run.held_out.values())),
        "samples": samples_of(run),
        "references": (run.pictures, list(run.references.values())),
        **({} if decoded.missing(rebuilt) else {"reconstructions": (decoded, rebuilt)}),
        **controls,
    }
    features = {name: features_in_order(run, *source) for name, source in stored.items()}
    views, taken = {"features": features}, {make().takes for make in run.make_metrics.values()}
    if taken & {"images", "fields"}:
        views["fields"] = {name: store.read(ids) for name, (store, ids) in stored.items()}
    if "images" in taken:
        views["images"] = {name: run.view(each) for name, each in views["fields"].items()}
    scores: dict[str, dict[str, float]] = {}
    bounds: dict[str, Bounds] = {}
    moved: dict[str, dict[str, Influence]] = {}
    for name in list(features)[1:]:
        sides = {view: (its["held_out"], its[name]) for view, its in views.items()}
        made_from = {view: its["references"] for view, its in views.items()}
        known = made_from if name in {"samples", *controls} else None
        scores[name], bounds[name], moved[name] = judged(run.make_metrics, sides, known)
    with optional(f"write {FILE}"):
        order = in_order(run.held_out)
        keep(
            run.workspace.folder,
            {
                f"metrics/sets/samples/{name}": {
                    "samples": each.of_generated,
                    "held_out": each.of_real[order],
                }
                for name, each in moved["samples"].items()
            },
        )
    samples = features["samples"]
    new = novelty(samples, features["references"], features["held_out"])
    copies = proportion_interval(round(new["copies"] * len(samples)), len(samples))
    bounds["samples"]["copies"] = dict(vars(copies))
    found = {
        "extractor": run.judge,
        "num_features": run.extractor.num_features,
        "n_real": len(features["held_out"]),
        "sets": scores,
        "ratios": ratios(run.make_metrics, scores),
        "intervals": bounds,
        "network_adds": {name: differences(moved["samples"], moved[name]) for name in controls},
        "novelty": new,
        "making": making(run),
    }
    return cast(Metrics, found)  # whose sets may hold a user's metrics too


def samples_of(run: Run) -> tuple[TensorStore, list[str]]:
    """The store of the run's new images, and their ids in the order of sampling, repeats included."""
    draws, ids = draw(run)
    return run.decoded(run.settings.eta), run.decoded_ids(draws.digests(ids))


def judged(
    make_metrics: MakeMetrics, sides: Sides, references: Mapping[str, Tensor] | None
) -> tuple[dict[str, float], Bounds, dict[str, Influence]]:
    """`score`, `intervals` and `influences` of one set: not computed again if a run of this process, such as
    an earlier one of a sweep, has compared it with the same images by the same metrics.
    """
    seen = {view: [*map(tensor_digest, its)] for view, its in sides.items()}
    made_from = {view: tensor_digest(each) for view, each in (references or {}).items()}
    kinds = {name: [type(make()).__module__, make] for name, make in make_metrics.items()}
    key = fingerprint([described(kinds), seen, made_from])
    if key not in JUDGED:
        found, moved = score(make_metrics, sides, references), influences(make_metrics, sides, references)
        JUDGED[key] = found, intervals(make_metrics, found, moved, sides, references), moved
        for oldest in list(JUDGED)[:-MOST]:
            del JUDGED[oldest]
    return deepcopy(JUDGED[key])


def score(
    make_metrics: MakeMetrics, sides: Sides, references: Mapping[str, Tensor] | None = None
) -> dict[str, float]:
    """All metrics of one set for which there is what they need, and how many images it has.

    Args:
        make_metrics: by name.
        sides: features ``[n, d]`` and ``[m, d]``, images uint8 ``[n, 3, H, W]`` and ``[m, 3, H, W]``, fields
            float32 likewise.
        references: what the generated ones were made from, in each of these forms.
    """
    ready = metrics_for(make_metrics, sides, references)
    found: dict[str, float] = {"n": len(next(iter(sides.values()))[1])}
    for takes, (real, generated) in sides.items():
        if own := {name: metric for name, metric in ready.items() if metric.takes == takes}:
            metrics = MetricCollection({**own})
            metrics.update(real, real=True)
            metrics.update(generated, real=False)
            found |= {name: float(value) for name, value in metrics.compute().items()}
    return found


def metrics_for(
    make_metrics: MakeMetrics, sides: Sides, references: Mapping[str, Tensor] | None
) -> dict[str, FeatureMetric]:
    """New ones of those for which there is what they need, ready to be updated."""
    ready = {}
    for name, metric in ((name, make()) for name, make in make_metrics.items()):
        if metric.takes not in sides or (metric.needs_references and references is None):
            continue
        metric.distributed_available_fn = lambda: False  # whatever rank computed a feature, all are here
        if references is not None and metric.needs_references:
            metric.bind(references[metric.takes])
        ready[name] = metric
    return ready


def intervals(
    make_metrics: MakeMetrics,
    found: Mapping[str, float],
    moved: Mapping[str, Influence],
    sides: Sides,
    references: Mapping[str, Tensor] | None = None,
) -> Bounds:
    """95 % intervals of the figures in `found` that have one.

    Args:
        make_metrics: by name.
        found: what `score` found, for these arguments.
        moved: `influences` of the same.
        sides: as of `score`, as is `references`.
        references: what the generated ones were made from.
    """
    made = {name: dict(vars(each.interval())) for name, each in moved.items()}
    for metric in metrics_for(make_metrics, sides, references).values():
        its = metric.intervals(found, *sides[metric.takes])
        made |= {name: dict(vars(each)) for name, each in its.items()}
    return made


def influences(
    make_metrics: MakeMetrics, sides: Sides, references: Mapping[str, Tensor] | None = None
) -> dict[str, Influence]:
    """How figures of one set move with each image, of those for which that is known. Arguments of `score`."""
    found: dict[str, Influence] = {}
    for metric in metrics_for(make_metrics, sides, references).values():
        found |= metric.influences(*sides[metric.takes])
    return {
        name: Influence(each.value, each.of_generated.detach(), each.of_real.detach())
        for name, each in found.items()
    }


def differences(
    ours: Mapping[str, Influence], theirs: Mapping[str, Influence]
) -> dict[str, dict[str, float]]:
    """Each figure of the samples minus a control's, where both are known, as the fields of an `Estimate`."""
    both = {name: each.minus(theirs[name]) for name, each in ours.items() if name in theirs}
    return {name: dict(vars(each.interval())) for name, each in both.items()}


def ratios(make_metrics: MakeMetrics, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float | None]:
    """What samples score over what references do, of the metrics that are distances."""
    return {
        name: scores["samples"][name] / scores["references"][name] if scores["references"][name] else None
        for make in make_metrics.values()
        if (metric := make()).ratio_to_references
        for name in metric.names
    }


def declared(make_metrics: MakeMetrics) -> list[Figure]:
    """What the metrics say of their figures, whose paths are their keys."""
    return [figure for make in make_metrics.values() for figure in make().declared()]


def figures_of(run: Run) -> list[Figure]:
    """The metrics' figures of the samples, then of the sets beside them, and ratios."""
    found, others = declared(run.make_metrics), ("references", "reconstructions", *run.controls)
    distances = {name: make for name, make in run.make_metrics.items() if make().ratio_to_references}
    return [
        *(
            each.below("metrics/sets/samples", interval=f"metrics/intervals/samples/{each.path}")
            for each in found
        ),
        *(beside(each, name) for name in others for each in found),
        *(added(each, name) for name in run.controls for each in found),
        *(ratio(each) for each in declared(distances)),
    ]


def beside(figure: Figure, name: str) -> Figure:
    """A metric's figure of another set than the samples."""
    return figure.below(
        f"metrics/sets/{name}",
        name=f"{figure.name}_of_{name}",
        label=f"{figure.label} of {name}",
        interval=f"metrics/intervals/{name}/{figure.path}",
        of=name,
        surfaces=figure.surfaces & {"tracking"} if name == "references" else (),
    )


def added(figure: Figure, control: str) -> Figure:
    """What the network adds: a metric's figure of the samples minus that of a control."""
    place = f"metrics/network_adds/{control}/{figure.path}"
    shown = figure.surfaces if control in SHOWN and figure.path == "fid" else frozenset[Surface]()
    return Figure(
        f"{place}/value",
        f"{figure.name}_minus_{control}",
        label=f"{figure.label} minus {control}",
        better=figure.better,
        says=f"what the network adds: samples minus {control}, the same recipe without the network",
        interval=place,
        surfaces=shown,
    )


def ratio(figure: Figure) -> Figure:
    """A metric's figure of the samples over that of the references."""
    return Figure(
        f"metrics/ratios/{figure.path}",
        f"{figure.name}_ratio",
        label=f"{figure.label} over that of real images",
        better=figure.better,
        says="of the samples over the references' own",
        surfaces=figure.surfaces & {"report", "dashboard"},
    )


def making(run: Run) -> Making:
    """What the samples depend on and cost: network calls to invert a reference, to denoise a sample, and for
    an image in all, with its share of the inversions, whatever the store held.

    An implicit solver may need fewer calls; rejected proposals cost none.
    """
    down = run.levels[::-1]
    up = calls_along(run.solver, run.model.schedule, run.levels).most
    denoise = calls_along(run.solver, run.model.schedule, down, run.settings.eta).most
    return {
        "uses_prior": run.sampler.uses_prior,
        "calls_per_reference": up,
        "calls_per_sample": denoise,
        "calls_per_image": denoise + up * len(run.references) / run.settings.n_samples,
    }
