"""Bank of latents -> the references again: how exact is the round trip?"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ood_diffusion.fields.scale import Scale
from ood_diffusion.figures import EVERYWHERE, SHARE, Figure
from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.optional import optional
from ood_diffusion.pixels import as_stored, psnr, to_unit_range
from ood_diffusion.report.influences import FILE, in_order, keep
from ood_diffusion.report.plan.work import Share, Work
from ood_diffusion.report.results import Physical, Reconstructions, Results
from ood_diffusion.runs.calls import calls_along
from ood_diffusion.runs.known import Known, on_disk
from ood_diffusion.runs.run import Run
from ood_diffusion.runs.stage import Stage

log = logging.getLogger(__name__)

POOR = 30.0
"""PSNR in dB below which a latent no longer represents its image."""
CLOSE = 3.0
"""Within so many dB of the round trip to level 0 neither steps nor solver are to blame."""


@dataclass(frozen=True)
class Reconstruct(Stage):
    """Decodes the bank deterministically, whatever the run's eta, and measures PSNR."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "reconstruct/psnr_mean",
            "psnr",
            label="round-trip PSNR",
            better="higher",
            unit="dB",
            says="of references after inversion and denoising",
            spread="reconstruct/psnr_sd",
            of="reconstructions",
            surfaces=EVERYWHERE - {"leaderboard"},
        ),
        Figure("reconstruct/psnr_min", better="higher", unit="dB", surfaces=frozenset()),
    )

    def declared(self, run: Run) -> list[Figure]:
        """Of fields with a scale also the error in its unit."""
        scale = run.domain.physical_scale
        return [*self.figures, *([] if scale is None else in_units(scale.unit))]

    def __call__(self, run: Run, earlier: Results) -> Results:
        """PSNR over the references; a poor one is explained in a warning."""
        return {"reconstruct": reconstruct(run)}

    def share(self, run: Run, known: Known) -> Share:
        """A trajectory downwards for each reference."""
        store, down = run.decoded(eta=0.0), calls_along(run.solver, run.model.schedule, run.levels[::-1])
        work = Work("reconstruct", str(store.folder), on_disk(store, known.latents), down, known.batch)
        return Share([work], known.bank)


def reconstruct(run: Run) -> Reconstructions:
    """Decode the bank at eta 0 and measure PSNR."""
    ids = reconstruction_ids(run)
    run.predict(
        run.decoded(eta=0.0),
        run.bank,
        {target: source for source, target in ids.items()},
        Generator(run.model, run.solver, run.levels, eta=0.0, seed=0, dtype=run.dtype),
        "reconstruct",
    )
    pairs = partial(pairs_of, run, ids)
    decibels = torch.cat([psnr(a, b) for a, b in pairs()])
    with optional(f"write {FILE}"):
        each = {"references": decibels[in_order(ids)]}
        keep(run.workspace.folder, {"reconstruct/psnr_mean": each})
    found: Reconstructions = {
        "psnr_mean": float(decibels.mean()),
        "psnr_sd": float(decibels.std()),
        "psnr_min": float(decibels.min()),
        "level": run.levels[-1],
        "steps": run.settings.steps,
        "n": len(ids),
    }
    if (scale := run.domain.physical_scale) is not None:
        found["physical"] = physical_error(scale, pairs())
    if (reached := float(decibels.mean())) < POOR:
        limit = psnr_at_level_0(run)
        log.warning(
            "reconstruct: round trips to level %g reconstruct images at %.1f dB, those to level 0 at "
            "%.1f dB. Below %g dB latents no longer represent their images: %s",
            run.levels[-1], reached, limit, POOR,
            "use more steps, a lower level or solver=fixed_point."
            if limit - reached > CLOSE
            else "use another model; the error is that of its autoencoder.",
        )  # fmt: skip
    return found


def pairs_of(run: Run, ids: Mapping[str, str]) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of reconstructions and of the references, by digest of the reference -> id."""
    rebuilt = run.decoded(eta=0.0).blocks(list(ids.values()))
    return zip(rebuilt, run.pictures.blocks([run.references[i] for i in ids]), strict=True)


def physical_error(scale: Scale, pairs: Iterable[tuple[Tensor, Tensor]]) -> Physical:
    """How far fields are from their originals in the unit of `Scale.stretched`, and in mean physical value.

    Args:
        scale: of both.
        pairs: blocks of fields and of originals, float32 ``[n, C, H, W]`` each.
    """
    rows = []
    for made, given in pairs:
        values, originals = scale.stretched(made), scale.stretched(given)
        flux, before = (scale.to_physical(each).mean(dim=(1, 2, 3)) for each in (made, given))
        change = torch.where(before == 0, 0.0, flux / before - 1)
        error = (values - originals).square().mean(dim=(1, 2, 3)).sqrt()
        rows.append(torch.stack([error, originals.flatten(1).std(dim=1), change], dim=1))
    error, sd, change = torch.cat(rows).T
    return {
        "unit": scale.unit,
        "rms": float(error.mean()),
        "rms_sd": float(error.std()),
        "share_of_sd": float(error.mean() / sd.mean()),
        "flux": float(change.mean()),
        "flux_sd": float(change.std()),
    }


def in_units(unit: str) -> list[Figure]:
    """The figures of `physical_error`."""
    return [
        Figure(
            "reconstruct/physical/rms",
            "round_trip_error",
            label="round-trip error",
            better="lower",
            unit=unit,
            says="root mean square over the values of a reference, after inversion and denoising",
            spread="reconstruct/physical/rms_sd",
            of="reconstructions",
            surfaces=EVERYWHERE - {"leaderboard"},
        ),
        Figure(
            "reconstruct/physical/flux",
            "round_trip_flux",
            label="mean value after the round trip, change",
            unit=SHARE,
            spread="reconstruct/physical/flux_sd",
            of="reconstructions",
            surfaces=frozenset({"report", "collect"}),
        ),
    ]


def psnr_at_level_0(run: Run) -> float:
    """Mean PSNR in dB of a batch of references that are encoded and decoded: of an autoencoder alone."""
    originals = run.pictures.read(list(run.references.values())[: run.batch_size])
    device = run.workspace.ranks.device
    model = run.model.to(device)
    with torch.inference_mode():
        images = model.decode(model.encode(to_unit_range(originals.to(device))))
    return float(psnr(as_stored(images, originals.dtype).cpu(), originals).mean())


def reconstruction_ids(run: Run) -> dict[str, str]:
    """Digest of each reference -> id of its reconstruction, the digest of its latent."""
    references = list(run.references)
    return dict(zip(references, run.bank.digests(references), strict=True))
