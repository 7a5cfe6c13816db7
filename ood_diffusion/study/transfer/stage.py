"""Style transfer through mid-level latents of the frozen model: photo to sketch and sketch to photo."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.check import Check
from ood_diffusion.geometry.transfer import slerp_to_nearest, wasserstein_transfer
from ood_diffusion.lightning.trajectory import Inverter
from ood_diffusion.metrics.outlines import retrieved
from ood_diffusion.optional import optional
from ood_diffusion.pixels import to_bytes, to_unit_range
from ood_diffusion.report.pictures import grid, png_bytes
from ood_diffusion.runs.cell import Cell
from ood_diffusion.runs.pictures import stored_split
from ood_diffusion.stages.decode import decode, stored_latents
from ood_diffusion.stages.evaluate import features_in_order
from ood_diffusion.statistics.estimate import Estimate
from ood_diffusion.statistics.feature_intervals import fid_interval
from ood_diffusion.statistics.intervals import proportion_interval
from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.study.transfer.plots import content_curve, style_curve
from ood_diffusion.study.transfer.settings import TransferSettings
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
        judges: held-out images of the other style.
    """

    name: str
    source: Sequence[str]
    other: Sequence[str]
    truth: Sequence[str]
    photos: Sequence[str]
    judges: Sequence[str]

    def file(self, what: str) -> str:
        """Name of a file in the run folder."""
        return f"transfer_{self.name.replace(' ', '_')}{what}"


def transfer(cell: Cell) -> None:
    """Go both ways at every level; judge the cell's own level."""
    settings: TransferSettings = cell.stage_settings["transfer"]
    own = cell.levels[-1]
    children = {level: cell.at(level=level, eta=0.0) for level in sorted({*map(float, settings.levels), own})}
    directions = pairs(cell, settings)
    found = {direction.name: one_way(cell, settings, direction, children) for direction in directions}
    checks = [check for each in directions for check in judged(each, found[each.name], own)]
    cell.results["transfer"] = {
        "n": len(directions[0].source),
        "level": own,
        "directions": found,
        "checks": [check.as_json() for check in checks],
    }


def check_transfer(cell: Cell) -> None:
    """Raise `UserError` unless every level lies on the schedule and there are images of both styles.

    References that are equal pixel by pixel count once, which `pairs` finds out when they are read.
    """
    settings: TransferSettings = cell.stage_settings["transfer"]
    for level in settings.levels:
        name = f"stage.transfer.levels: {level:g}"
        require(1 < level <= cell.model.schedule.timesteps, "levels lie in (1, T]", name, "Choose others.")
        _ = cell.at(level=float(level), eta=0.0).levels
    size, wanted = cell.domain.size("held_out"), cell.settings.n_held_out
    counts = {
        "n_references": (cell.settings.n_references, FEWEST),
        "n_held_out": (wanted if size is None else min(wanted, size), 2),
    }
    for name, (images, least) in counts.items():
        require(
            images >= least,
            f"the stage transfer needs {name} to be at least {least}",
            images,
            "Bring more images or leave out the stage transfer.",
        )
    _ = settings.style(image_size=cell.domain.image_size, of=lambda image_size: cell.domain)


def pairs(cell: Cell, settings: TransferSettings) -> tuple[Direction, Direction]:
    """Both directions: photos of the first references and sketches of the next ones, never of the same."""
    sketches = settings.style(image_size=cell.domain.image_size, of=lambda image_size: cell.domain)
    keys = [cell.domain.address("references", i) for i in range(cell.settings.n_references)]
    kept = set(cell.references.values())  # one key of pictures that are equal pixel by pixel
    different = [i for i, key in enumerate(keys) if key in kept]
    require(
        len(different) >= FEWEST,
        f"the stage transfer needs at least {FEWEST} references that differ",
        len(different),
        "Raise n_references.",
    )
    n = min(settings.n_images, len(different) // 2)
    used = different[: 2 * n]
    stored_split(sketches, cell.pictures, "references", used[-1] + 1, cell.ranks)
    photo, sketch = [keys[i] for i in used], [sketches.address("references", i) for i in used]
    held_out = list(cell.held_out.values())
    drawn = list(stored_split(sketches, cell.pictures, "held_out", len(held_out), cell.ranks).values())
    return (
        Direction("photo to sketch", photo[:n], sketch[n:], sketch[:n], photo[:n], drawn),
        Direction("sketch to photo", sketch[n:], photo[:n], photo[n:], photo[n:], held_out),
    )


def one_way(
    cell: Cell, settings: TransferSettings, direction: Direction, children: Mapping[float, Cell]
) -> dict[str, Any]:
    """Results of one direction at every level and on pixels, with style and content; writes its pictures."""
    judges = features_in_order(cell, cell.pictures, direction.judges)
    photos = cell.pictures.read(direction.photos)

    def measured(images: TensorStore, ids: Sequence[str]) -> dict[str, Any]:
        hits = int(retrieved(images.read(ids), photos).sum())
        fid = fid_interval(features_in_order(cell, images, ids), judges)
        return {"fid": vars(fid), "content": vars(proportion_interval(hits, len(ids)))}

    columns = [cell.pictures.read(direction.source[:SHOWN])]
    results = []
    for way, level, images, ids in transferred(cell, settings, direction, children):
        results.append({"way": way, "level": level, **measured(images, ids)})
        columns.append(images.read(ids[:SHOWN]))
    columns.append(cell.pictures.read(direction.truth[:SHOWN]))
    ends = {name: measured(cell.pictures, getattr(direction, name)) for name in ("source", "truth")}
    level, n = cell.levels[-1], len(direction.source)
    with optional("draw the plots of transfer"):
        for what, content in (
            (STYLE, style_curve(results, {name: end["fid"] for name, end in ends.items()}, level).encode()),
            (CONTENT, content_curve(results, n, level, MOST).encode()),
            (PICTURES, png_bytes(grid(torch.stack(columns, dim=1).flatten(0, 1), len(columns)))),
        ):
            atomic_write(cell.run_folder / direction.file(what), content)
    names = [f"{found['way']} at level {found['level']:g}" for found in results]
    return {"columns": ["source", *names, "truth"], "n_judges": len(judges), "ends": ends, "results": results}


def transferred(
    cell: Cell, settings: TransferSettings, direction: Direction, children: Mapping[float, Cell]
) -> Iterator[tuple[str, float, TensorStore, list[str]]]:
    """Way, level, and where the results lie: on pixels, then by transport at each level, then the blend."""
    recipe = {"transfer": direction.name, "strength": settings.strength} | {
        name: cell.pictures.digests(getattr(direction, name)) for name in ("source", "other")
    }
    yield "pixels", 0.0, *on_pixels(cell, recipe, direction, settings.strength)
    blend: list[tuple[str, float, TensorStore, list[str]]] = []
    for level, child in children.items():
        source, other = (latents_of(child, ids) for ids in (direction.source, direction.other))
        moved = wasserstein_transfer(source, source, other, settings.strength)
        yield "transport", level, *decoded(child, recipe, moved)
        if level == cell.levels[-1]:
            nearer = slerp_to_nearest(moved, other, settings.blend)
            blend = [("blend", level, *decoded(child, {**recipe, "blend": settings.blend}, nearer))]
    yield from blend


def on_pixels(
    cell: Cell, recipe: Mapping[str, Any], direction: Direction, strength: float
) -> tuple[TensorStore, list[str]]:
    """The same transport of the images themselves, without a model."""
    source, other = (to_unit_range(cell.pictures.read(ids)) for ids in (direction.source, direction.other))
    moved = to_bytes(wasserstein_transfer(source, source, other, strength))
    store = cell.stores.open("pixel_transfers", recipe, torch.uint8)
    ids = [f"{i:06d}" for i in range(len(moved))]
    store.fill(ids, lambda missing: store.write(missing, moved[[int(i) for i in missing]]))
    return store, ids


def latents_of(cell: Cell, ids: Sequence[str]) -> Tensor:
    """Latents ``[n, C, H, W]`` at the cell's level of images in the store `pictures`, in order."""
    digests = cell.pictures.digests(ids)
    images = dict(zip(digests, ids, strict=True))
    module = Inverter(cell.model, cell.solver, cell.levels)
    cell.predict(cell.bank, cell.pictures, images, module, f"invert, level {cell.levels[-1]:g}")
    return cell.bank.read(digests)


def decoded(cell: Cell, recipe: Mapping[str, Any], latents: Tensor) -> tuple[TensorStore, list[str]]:
    """Images of latents at the cell's level, in order."""
    return decode(
        cell,
        *stored_latents(cell, recipe, len(latents), latents.__getitem__),
        f"transfer, level {cell.levels[-1]:g}",
    )


def judged(direction: Direction, found: Mapping[str, Any], level: float) -> list[Check]:
    """The checks of one direction, on the transport at the cell's own level."""
    fid = {(each["way"], each["level"]): Estimate(**each["fid"]) for each in found["results"]}
    content = next(x["content"] for x in found["results"] if (x["way"], x["level"]) == ("transport", level))
    result, n, name = fid["transport", level], content["n"], direction.name
    source, pixels = Estimate(**found["ends"]["source"]["fid"]), fid["pixels", 0.0]
    return [
        style_moved(result, source, name, direction.file(STYLE)),
        content_kept(round(content["value"] * n), n, name, direction.file(CONTENT)),
        beats_pixels(result, pixels, name, direction.file(PICTURES)),
    ]
