"""New images against held-out ones: FID, KID, precision, recall, novelty."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.api.composed import Values, composed
from ood_diffusion.api.images import check_images
from ood_diffusion.api.session import kept, session, whole
from ood_diffusion.checks import Void, require
from ood_diffusion.domains.splits import check_disjoint
from ood_diffusion.fields.view import View, described, judged_by
from ood_diffusion.figures import Figure
from ood_diffusion.fingerprint import tensor_digest
from ood_diffusion.lightning.features import FeaturePass
from ood_diffusion.lightning.predict import predict_into
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.metrics.feature_metric import FeatureMetric, of_images
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.report.wording import number
from ood_diffusion.runs.assemble import build
from ood_diffusion.stages.evaluate import Evaluate, declared, influences, intervals, score
from ood_diffusion.stages.features import FEATURE_BATCH, feature_recipe
from ood_diffusion.storage.stores import Stores


@dataclass(frozen=True, eq=False)
class Scores(Mapping[str, float]):
    """What `evaluate` found: a mapping from names to figures that prints as a table.

    Args:
        extractor: of the features; figures of two extractors cannot be compared.
        n_images: how many images were judged; FID at another number cannot be compared.
        n_held_out: by how many.
        figures: "fid", "kid", "precision", "recall", "density", "coverage"; with references also "novelty"
            (as new as unseen images: 1, copies: 0) and "copies" (share of the images, 0.01 by chance).
        intervals: 95 % intervals (low, high) of those that have one.
        declared: what each figure is called, and which direction is better.

    Examples:
        >>> from ood_diffusion import Scores
        >>> from ood_diffusion.metrics.fid import FID
        >>> told = {figure.name: figure for figure in FID.figures}
        >>> Scores("efficientnet_lite0", 64, 128, {"fid": 12.5}, {"fid": (10.0, 15.0)}, told)
        64 images against 128 held-out ones, efficientnet_lite0
        FID ↓             12.5   95 %: 10 … 15
    """

    extractor: str
    n_images: int
    n_held_out: int
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    declared: Mapping[str, Figure]

    def __getitem__(self, name: str) -> float:
        return self.figures[name]

    def __iter__(self) -> Any:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)

    def __repr__(self) -> str:
        lines = [f"{self.n_images} images against {self.n_held_out} held-out ones, {self.extractor}"]
        for name, value in self.items():
            ends = " … ".join(map(number, self.intervals.get(name, ())))
            interval = f"   95 %: {ends}" if ends else ""
            lines.append(f"{self.declared[name].head:<14}{number(value):>8}{interval}")
        return "\n".join(lines)


@whole
def evaluate(
    images: Tensor,
    held_out: Tensor,
    references: Tensor | None = None,
    *,
    extractor: str | FeatureExtractor | None = None,
    metric: Sequence[str] | None = None,
    view: str | View | None = None,
    store: str | Path | None = None,
    settings: Values | None = None,
) -> Scores:
    """Judge images by held-out images of the domain that they should belong to.

    Whatever is None is what the command takes (`conf/config.yaml`).

    Args:
        images: uint8 ``[n, C, H, W]`` of any size, or float32 fields in [-1, 1].
        held_out: images of the domain that neither prior nor sampler has seen; uint8 ``[k, C, H', W']``.
        references: those that they have seen, to tell new images from copies.
        extractor: a name in ``conf/extractor``, or an extractor.
        metric: names in ``conf/metric``.
        view: a name in ``conf/view``, or a view: how images that are not RGB are judged.
        store: a folder in which features are kept and looked for; None: nowhere.
        settings: more, by their names in `conf/`: ``{"metric.prdc.nearest_k": 3}``.

    Raises:
        UserError: for images that are none, too few for a metric, or held-out images among the references.

    Examples:
        Real images of the domain have the figures of a perfect sampler, at their number.

        >>> from ood_diffusion import evaluate, load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, held_out = load_domain("galaxies_sim", model, n_references=6, n_held_out=6)
        >>> scores = evaluate(references, held_out, metric=["fid"])
        >>> list(scores), scores["fid"] > 0
        (['fid'], True)
    """
    sets = {"images": images, "held_out": held_out}
    if references is not None:
        sets["references"] = references
    for name, given in sets.items():
        check_images(name, given)
    if references is not None:
        check_disjoint(map(tensor_digest, references), map(tensor_digest, held_out))
    require(
        extractor is None or isinstance(extractor, str | FeatureExtractor),
        "extractor must be a name or a FeatureExtractor",
        type(extractor).__name__,
        "Derive yours from ood_diffusion.metrics.base.FeatureExtractor.",
    )
    require(
        metric is None or len(metric) > 0,
        "metric must name at least one metric",
        metric,
        'Try metric=["fid"], or leave it out.',
    )
    named = extractor if isinstance(extractor, str) else None
    shown = view if isinstance(view, str) else None
    cfg, _ = composed({"extractor": named, "metric": metric, "view": shown}, settings or {})
    with session(cfg) as (folder, ranks):
        metrics = {str(name): partial(build, part, FeatureMetric) for name, part in cfg.metric.items()}
        make_metrics = of_images(metrics, images.dtype)
        _check_counts(make_metrics, {"images": len(images), "held_out": len(held_out)})
        judge = extractor if isinstance(extractor, FeatureExtractor) else build(cfg.extractor)
        root = folder / "store" if store is None else Path(store).expanduser()
        stores = Stores(root, cfg.store_mode)
        seen_as = view if isinstance(view, View) else build(cfg.view, View)
        more = described(seen_as, images.shape[1:], images.dtype)
        target = stores.open("features", {**feature_recipe(judge), **more}, torch.float32)
        rows: dict[str, Tensor] = {}
        for name, given in sets.items():
            source, ids = kept(folder / name, "images", given)
            wanted = dict(zip(ids, ids, strict=True))
            try:
                predict_into(
                    target, source, wanted, FeaturePass(judge, seen_as), ranks, FEATURE_BATCH, "features"
                )
            except Void:
                stores.withdraw()
                raise
            rows[name] = target.read(ids)
        pictures = {name: seen_as(given) for name, given in sets.items()}
        views = {"features": rows, "images": pictures, "fields": sets}
        known = references is not None
        origins = {view: its["references"] for view, its in views.items()} if known else None
        sides = {view: (its["held_out"], its["images"]) for view, its in views.items()}
        figures = score(make_metrics, sides, origins)
        moved = influences(make_metrics, sides, origins)
        found = intervals(make_metrics, figures, moved, sides, origins)
        told = {figure.path: figure for figure in declared(make_metrics)}
    n_images = int(figures.pop("n"))
    if references is not None:
        new = novelty(rows["images"], rows["references"], rows["held_out"])
        figures |= {"novelty": new["ratio"], "copies": new["copies"]}
        told |= {figure.name: figure for figure in Evaluate.figures}
    ends = {name: (interval["low"], interval["high"]) for name, interval in found.items()}
    return Scores(
        judged_by(judge.name, more),
        n_images,
        len(held_out),
        figures,
        ends,
        told,
    )


def _check_counts(make_metrics: Mapping[str, Callable[[], Any]], counts: Mapping[str, int]) -> None:
    for name, make in make_metrics.items():
        least = make().min_images
        for count, n in counts.items():
            require(
                n >= least,
                f"metric={name} needs at least {least} {count}",
                n,
                "Bring more or leave the metric out.",
            )
