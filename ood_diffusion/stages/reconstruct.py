"""Bank of latents -> the references again: how exact is the round trip?"""

import logging
from dataclasses import dataclass
from typing import ClassVar

import torch

from ood_diffusion.figures import EVERYWHERE, Figure
from ood_diffusion.lightning.trajectory import Generator
from ood_diffusion.pixels import as_stored, psnr, to_unit_range
from ood_diffusion.report.plan.work import Share, Work
from ood_diffusion.report.results import Reconstructions, Results
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
    rebuilt = run.decoded(eta=0.0).blocks(list(ids.values()))
    originals = run.pictures.blocks([run.references[i] for i in ids])
    decibels = torch.cat([psnr(a, b) for a, b in zip(rebuilt, originals, strict=True)])
    found: Reconstructions = {
        "psnr_mean": float(decibels.mean()),
        "psnr_sd": float(decibels.std()),
        "psnr_min": float(decibels.min()),
        "level": run.levels[-1],
        "steps": run.settings.steps,
        "n": len(ids),
    }
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


@torch.inference_mode()
def psnr_at_level_0(run: Run) -> float:
    """Mean PSNR in dB of a batch of references that are encoded and decoded: of an autoencoder alone."""
    originals = run.pictures.read(list(run.references.values())[: run.batch_size])
    device = run.workspace.ranks.device
    model = run.model.to(device)
    try:
        images = model.decode(model.encode(to_unit_range(originals.to(device))))
    finally:
        model.cpu()
    return float(psnr(as_stored(images, originals.dtype).cpu(), originals).mean())


def reconstruction_ids(run: Run) -> dict[str, str]:
    """Digest of each reference -> id of its reconstruction, the digest of its latent."""
    references = list(run.references)
    return dict(zip(references, run.bank.digests(references), strict=True))
