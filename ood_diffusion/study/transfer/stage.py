"""Style transfer through mid-level latents of the frozen model: photo to sketch and sketch to photo."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.check import Check
from ood_diffusion.domains.base import Domain
from ood_diffusion.geometry.transfer import slerp_to_nearest, wasserstein_transfer
from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.metrics.outlines import retrieved
from ood_diffusion.optional import optional
from ood_diffusion.pixels import to_bytes, to_unit_range
from ood_diffusion.report.figures import save
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.report.results import Results
from ood_diffusion.runs.feasible import require_images
from ood_diffusion.runs.images import stored_split
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Need, Stage
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.stages.features import features_in_order
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.study.transfer.plots import content_curve, style_curve
from ood_diffusion.study.transfer.section import OneWay, Result, Scores, TransferSection
from ood_diffusion.study.transfer.verdict import MOST, beats_pixels, content_kept, style_moved

STYLE, CONTENT, PICTURES = "_style.svg", "_content.svg", ".png"
SHOWN = 12
"""Sources in the picture grids."""
FEWEST = 4
"""References: two of each style."""


@dataclass(frozen=True)
class Direction:
    """One way to go: these images to that style. All are ids in the store `pictures`, picture by picture.

    Args:
        name: in words.
        source: the images that are changed, ``[n]``.
        other: images of the other style, of other pictures; their latents' statistics are the aim, ``[n]``.
        truth: what the sources look like in the other style, ``[n]``; only ever compared with.
        photos: the pictures' own look, ``[n]``: `source` or `truth`; content is compared with their outlines.
        held_out: held-out images of the other style.
    """

    name: str
    source: Sequence[str]
    other: Sequence[str]
    truth: Sequence[str]
    photos: Sequence[str]
    held_out: Sequence[str]

    def file(self, what: str) -> str:
        """Name of a file in the run folder."""
        return f"transfer_{self.name.replace(' ', '_')}{what}"


@dataclass(frozen=True)
class Transfer(Stage):
    """Style transfer both ways at every level; the verdict is on the run's own.

    The choices are explained in `conf/stage/transfer.yaml`.

    Args:
        style: builds the domain of the other style when called as ``style(image_size=…, of=…)``; its picture
            i is made of picture i of the domain that ``of(image_size=…)`` gives.
        n_images: images per style.
        levels: measured beside the run's own.
        strength: share of the transport, in (0, 1].
        blend: share of the way to the nearest latent after it, in (0, 1]; the second way.
    """

    photographs: ClassVar[str] = "Line drawings are made of the luminance of photographs."
    needs: ClassVar[frozenset[Need]] = frozenset({"images", "level", "features"})
    style: Callable[..., Domain]
    n_images: int
    levels: Sequence[float]
    strength: float
    blend: float

    def __post_init__(self) -> None:
        prefix = "stage.transfer"
        require(self.n_images >= 2, f"{prefix}.n_images must be at least 2", self.n_images, "Try 32.")
        lowest = min(self.levels, default=2)
        require(lowest > 1, f"{prefix}.levels must be above 1", lowest, "Try [300,500,700].")
        for name in ("strength", "blend"):
            share = getattr(self, name)
            require(0 < share <= 1, f"{prefix}.{name} must lie in (0, 1]", share, "See the file's default.")

    def __call__(self, run: Run, earlier: Results) -> dict[str, TransferSection]:
        """The figures, and the checks of C10."""
        own = run.levels[-1]
        children = {level: run.at(level=level, eta=0.0) for level in sorted({*map(float, self.levels), own})}
        directions = pairs(run, self)
        found = {direction.name: one_way(run, self, direction, children) for direction in directions}
        checks = [check for each in directions for check in direction_checks(each, found[each.name], own)]
        return {"transfer": TransferSection(len(directions[0].source), own, found, checks)}

    def check(self, run: Run) -> None:
        """Raise `UserError` unless every level lies on the schedule and there are images of both styles.

        References that are equal pixel by pixel count once, which `pairs` finds out when they are read.
        """
        for level in self.levels:
            name = f"stage.transfer.levels: {level:g}"
            require(
                1 < level <= run.model.schedule.timesteps, "levels must lie in (1, T]", name, "Choose others."
            )
            _ = run.at(level=float(level), eta=0.0).levels
        require_images(run, "transfer", {"n_references": FEWEST, "n_held_out": 2})
        _ = self.style(image_size=run.domain.image_size, of=lambda image_size: run.domain)


def pairs(run: Run, settings: Transfer) -> tuple[Direction, Direction]:
    """Both directions: photos of the first references and sketches of the next ones, never of the same."""
    sketches = settings.style(image_size=run.domain.image_size, of=lambda image_size: run.domain)
    keys = [run.domain.address("references", i) for i in range(run.settings.n_references)]
    kept = set(run.references.values())  # one key of pictures that are equal pixel by pixel
    different = [i for i, key in enumerate(keys) if key in kept]
    require(
        len(different) >= FEWEST,
        f"the stage transfer needs at least {FEWEST} references that differ",
        len(different),
        "Raise n_references.",
    )
    n = min(settings.n_images, len(different) // 2)
    used = different[: 2 * n]
    stored_split(sketches, run.pictures, "references", used[-1] + 1, run.workspace.ranks)
    photo, sketch = [keys[i] for i in used], [sketches.address("references", i) for i in used]
    held_out = list(run.held_out.values())
    drawn = list(
        stored_split(sketches, run.pictures, "held_out", len(held_out), run.workspace.ranks).values()
    )
    return (
        Direction("photo to sketch", photo[:n], sketch[n:], sketch[:n], photo[:n], drawn),
        Direction("sketch to photo", sketch[n:], photo[:n], photo[n:], photo[n:], held_out),
    )


def one_way(run: Run, settings: Transfer, direction: Direction, children: Mapping[float, Run]) -> OneWay:
    """Results of one direction at every level and on pixels, with style and content; writes its pictures."""
    held_out = features_in_order(run, run.pictures, direction.held_out)
    photos = run.pictures.read(direction.photos)

    def measured(images: TensorStore, ids: Sequence[str]) -> Scores:
        hits = int(retrieved(images.read(ids), photos).sum())
        fid = fid_interval(features_in_order(run, images, ids), held_out)
        return Scores(fid, proportion_interval(hits, len(ids)))

    columns = [run.pictures.read(direction.source[:SHOWN])]
    results = []
    for way, level, images, ids in transferred(run, settings, direction, children):
        results.append(Result(**vars(measured(images, ids)), way=way, level=level))
        columns.append(images.read(ids[:SHOWN]))
    columns.append(run.pictures.read(direction.truth[:SHOWN]))
    ends = {name: measured(run.pictures, getattr(direction, name)) for name in ("source", "truth")}
    level, n = run.levels[-1], len(direction.source)
    with optional("draw the plots of transfer"):
        sheet, folder = grid(torch.stack(columns, dim=1).flatten(0, 1), len(columns)), run.workspace.folder
        save(folder / direction.file(STYLE), style_curve(results, ends, level))
        save(folder / direction.file(CONTENT), content_curve(results, n, level, MOST))
        atomic_write(folder / direction.file(PICTURES), png_bytes(sheet))
    names = [f"{found.way} at level {found.level:g}" for found in results]
    return OneWay(["source", *names, "truth"], len(held_out), ends, results)


def transferred(
    run: Run, settings: Transfer, direction: Direction, children: Mapping[float, Run]
) -> Iterator[tuple[str, float, TensorStore, list[str]]]:
    """Way, level, and where the results lie: on pixels, then by transport at each level, then the blend."""
    recipe = {"transfer": direction.name, "strength": settings.strength} | {
        name: run.pictures.digests(getattr(direction, name)) for name in ("source", "other")
    }
    yield "pixels", 0.0, *on_pixels(run, recipe, direction, settings.strength)
    blend: list[tuple[str, float, TensorStore, list[str]]] = []
    for level, child in children.items():
        source, other = (latents_of(child, ids) for ids in (direction.source, direction.other))
        moved = wasserstein_transfer(source, source, other, settings.strength)
        yield "transport", level, *decoded(child, recipe, moved)
        if level == run.levels[-1]:
            nearer = slerp_to_nearest(moved, other, settings.blend)
            blend = [("blend", level, *decoded(child, {**recipe, "blend": settings.blend}, nearer))]
    yield from blend


def on_pixels(
    run: Run, recipe: Mapping[str, Any], direction: Direction, strength: float
) -> tuple[TensorStore, list[str]]:
    """The same transport of the images themselves, without a model."""
    source, other = (to_unit_range(run.pictures.read(ids)) for ids in (direction.source, direction.other))
    moved = to_bytes(wasserstein_transfer(source, source, other, strength))
    store = run.workspace.stores.open("pixel_transfers", recipe, torch.uint8)
    ids = [f"{i:06d}" for i in range(len(moved))]
    store.fill(ids, lambda missing: store.write(missing, moved[[int(i) for i in missing]]))
    return store, ids


def latents_of(run: Run, ids: Sequence[str]) -> Tensor:
    """Latents ``[n, C, H, W]`` at the run's level of images in the store `pictures`, in order."""
    digests = run.pictures.digests(ids)
    images = dict(zip(digests, ids, strict=True))
    module = Inverter(run.model, run.solver, run.levels)
    run.predict(run.bank, run.pictures, images, module, f"invert, level {run.levels[-1]:g}")
    return run.bank.read(digests)


def decoded(run: Run, recipe: Mapping[str, Any], latents: Tensor) -> tuple[TensorStore, list[str]]:
    """Images of latents at the run's level, in order."""
    return decode(
        run,
        *stored_latents(run, recipe, len(latents), latents.__getitem__),
        f"transfer, level {run.levels[-1]:g}",
    )


def direction_checks(direction: Direction, found: OneWay, level: float) -> list[Check]:
    """The checks of one direction, on the transport at the run's own level."""
    scores = {(each.way, each.level): each for each in found.results}
    result, pixels, name = scores["transport", level], scores["pixels", 0.0], direction.name
    n = result.content.n
    return [
        style_moved(result.fid, found.ends["source"].fid, name, direction.file(STYLE)),
        content_kept(round(result.content.value * n), n, name, direction.file(CONTENT)),
        beats_pixels(result.fid, pixels.fid, name, direction.file(PICTURES)),
    ]
