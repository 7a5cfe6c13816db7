"""What the metrics share: checked features, states that merge across ranks, float64 throughout."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torchmetrics import Metric

from ood_diffusion.checks import require
from ood_diffusion.figures import Better, Figure
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import Influence
from ood_diffusion.statistics.intervals import proportion_interval

Side = Literal["real", "generated"]
Answer = TypeVar("Answer")


class FeatureMetric(Metric):
    """A metric between two sets of feature vectors, fed batch by batch.

    States are *flat* float64 vectors whatever they hold: a rank that was given no image then
    contributes an empty vector, and torchmetrics gathers it like any other (it cannot gather an
    empty vector beside a matrix). `width` restores the shape.

    Args:
        kwargs: settings of `torchmetrics.Metric`.
    """

    full_state_update = False
    is_differentiable = False
    names: tuple[str, ...] = ()
    """The keys of what `compute` returns."""
    figures: tuple[Figure, ...] = ()
    """What people are told of them: figures whose paths are the keys. Of a key without one they see its words
    and the direction that `higher_is_better` says."""
    ratio_to_references = False
    """Whether its figures are distances, at least 0, whose ratio to what references score says something."""
    min_images = 2
    """The smallest number of images on either side for which it is defined."""
    takes: Literal["features", "images", "fields"] = "features"
    """What `update` and `bind` are given: feature vectors, images as they are looked at (uint8), or fields
    (float32), of which photographs have none."""
    proportions: tuple[str, ...] = ()
    """Those of `names` that are shares of the generated images, each of which counts or does not."""
    needs_references = False
    """Whether `bind` must come before `compute`: such a metric judges what was made from the references."""
    references: Tensor | None = None
    width: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.float64)
        self.add_state("width", torch.zeros((), dtype=torch.int64), dist_reduce_fx="max")

    def bind(self, references: Tensor) -> None:
        """Say what the generated images were made from, in the form that `update` takes; before `compute`."""
        self.references = references

    def declared(self) -> tuple[Figure, ...]:
        """A `Figure` for each of `names`."""
        better: Better = "neither"
        if self.higher_is_better is not None:
            better = "higher" if self.higher_is_better else "lower"
        known = {each.path: each for each in self.figures}
        return tuple(known.get(name) or Figure(name, better=better) for name in self.names)

    def influences(self, real: Tensor, generated: Tensor) -> Mapping[str, Influence]:
        """How its figures move with each image, of those for which that is known: they then have an interval,
        and so have, image by image, their differences to those of a control. To be called on a metric that
        has seen nothing yet.

        Args:
            real: the held-out images, in the form that `update` takes.
            generated: the images that are judged, likewise.
        """
        return {}

    def intervals(
        self, found: Mapping[str, float], real: Tensor, generated: Tensor
    ) -> Mapping[str, Estimate]:
        """95 % intervals of figures without influences; by default Wilson's, of its `proportions`.

        Args:
            found: what `compute` returned for these images.
            real: as of `influences`, as is `generated`; and it has seen nothing yet here, either.
            generated: the images that are judged.
        """
        n = len(generated)
        return {name: proportion_interval(round(found[name] * n), n) for name in self.proportions}

    @abstractmethod
    def accumulate(self, features: Tensor, side: Side) -> None:
        """Take in float64 ``[B, d]``, already checked."""

    def update(self, features: Tensor, real: bool) -> None:
        """Take in one batch.

        Args:
            features: ``[B, d]``, any floating dtype, finite.
            real: True for held-out images, False for generated ones.

        Raises:
            UserError: if the shape is wrong, d changes between batches, or a value is not finite.
        """
        require(
            features.ndim == 2 and features.is_floating_point(),
            "features must be floating point of shape [B, d]",
            f"{features.dtype} {list(features.shape)}",
            "Pass what the feature extractor returns.",
        )
        width = features.shape[1]
        require(
            int(self.width) in (0, width),
            f"features must keep d = {int(self.width)} numbers per image",
            width,
            "Use one extractor for every image, and reset the metric in between.",
        )
        finite = torch.isfinite(features).all(dim=1)
        require(
            bool(finite.all()),
            "features must be finite",
            f"{int((~finite).sum())} of {len(features)} images with NaN or infinity",
            "The decoder may have diverged on those images; try a lower level or more steps.",
        )
        self.width = torch.tensor(width, device=features.device)
        self.accumulate(features.double(), "real" if real else "generated")


class RowMetric(FeatureMetric):
    """A metric that needs every feature vector at once; memory O(n d).

    Row metrics in one `MetricCollection` share their rows (torchmetrics' compute groups).
    """

    real: list[Tensor]
    generated: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("generated", [], dist_reduce_fx="cat")

    def accumulate(self, features: Tensor, side: Side) -> None:
        """Keep float64 ``[B, d]``."""
        getattr(self, side).append(features.reshape(-1))

    def rows(self, side: Side) -> Tensor:
        """All feature vectors of one side, float64 ``[n, d]``."""
        return flat_state(getattr(self, side)).reshape(-1, max(int(self.width), 1))


def once(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """`function` of a tensor and settings, not called again while it is asked the same as the last time.

    For the real side: all sets of a run, and of the runs of a sweep, are compared with the same images.
    Its answers must not be written to.
    """
    last: tuple[Tensor, tuple[object, ...], Answer] | None = None

    @wraps(function)
    def ask(tensor: Tensor, *settings: object) -> Answer:
        nonlocal last
        if last is None or last[1] != settings or not same(last[0], tensor):
            last = tensor.clone(), settings, function(tensor, *settings)
        return last[2]

    return ask


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same numbers, in the same form and place."""
    return (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device) and torch.equal(a, b)


def of_images(
    make_metrics: Mapping[str, Callable[[], FeatureMetric]], dtype: torch.dtype
) -> dict[str, Callable[[], FeatureMetric]]:
    """Those metrics that can judge images of `dtype`: metrics of fields need float32."""
    fields = dtype == torch.float32
    return {name: make for name, make in make_metrics.items() if fields or make().takes != "fields"}


def flat_state(state: Tensor | list[Tensor]) -> Tensor:
    """One vector from a list state, or from what torchmetrics makes of it after a gather."""
    if isinstance(state, Tensor):
        return state
    return torch.cat(state) if state else torch.empty(0, dtype=torch.float64)


def require_references(references: Tensor | None, minimum: int, reason: str) -> Tensor:
    """The references in float64, one row each; `UserError` if there are fewer than `minimum`."""
    count = 0 if references is None else len(references)
    require(count >= minimum, f"{reason} needs at least {minimum} references", count, "Raise n_references.")
    return torch.empty(0) if references is None else references.flatten(1).double()


def require_images(count: int, minimum: int, side: str, reason: str) -> None:
    """Raise `UserError` unless one side has enough images for the metric to be defined."""
    require(
        count >= minimum,
        f"{reason} must be given at least {minimum} {side} images",
        count,
        "Raise n_held_out." if side == "real" else "Raise n_samples.",
    )
