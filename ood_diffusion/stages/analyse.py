"""Does the model reconstruct unseen images, and where do their latents lie? Claims C1 to C4."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.claims.check import Check
from ood_diffusion.claims.gaussianity import gaussian
from ood_diffusion.claims.geometry import annulus, equilateral, orthogonal
from ood_diffusion.claims.reconstruction import as_exact, retrieved
from ood_diffusion.claims.separability import distant, separable
from ood_diffusion.stages.analyse_latents import compared
from ood_diffusion.stages.analyse_pictures import PICTURES, draw_pictures
from ood_diffusion.stages.analyse_round_trip import domains, first, round_trips
from ood_diffusion.stages.analyse_settings import FEWEST, AnalyseSettings
from ood_diffusion.stages.cell import Cell
from ood_diffusion.stages.passage import passage
from ood_diffusion.statistics.estimate import Estimate, NullTest


def analyse(cell: Cell) -> None:
    """Round trips, then the statistics of latents at every level, then the checks of C1 to C4."""
    settings: AnalyseSettings = cell.stage_settings["analyse"]
    trips = round_trips(cell, settings)
    levels, states = passages(cell, settings)
    found = []
    for k, level in enumerate(levels):
        latents = {name: z[:, k] for name, z in states.items()}
        found.append(compared(level, latents, cell.settings.seed, settings.n_null))
    own = min(range(len(levels)), key=lambda k: abs(levels[k] - cell.levels[-1]))
    draw_pictures(cell, trips, found, states, own)
    checks = [*round_trip_checks(trips, settings), *latent_checks(found, own, settings)]
    cell.results["analyse"] = {
        "round_trip": trips,
        "latents": found,
        "checks": [check.as_json() for check in checks],
    }


def check_analyse(cell: Cell) -> None:
    """Raise `UserError` unless the extractor, the trajectory to the top, its levels and images are there."""
    _ = cell.extractor, top_of(cell).levels
    top, highest = cell.model.schedule.timesteps, max(cell.stage_settings["analyse"].levels)
    require(highest <= top, f"stage.analyse.levels must be at most {top}", highest, "Choose lower ones.")
    available = cell.domain.size("held_out"), cell.training_domain.size("references")
    wanted = cell.settings.n_held_out, cell.settings.n_training
    held_out, training = (w if a is None else min(w, a) for a, w in zip(available, wanted, strict=True))
    counts = {
        "n_references": (cell.settings.n_references, FEWEST),
        "n_training": (training, FEWEST),
        "n_held_out": (held_out, 2),
    }
    for name, (images, least) in counts.items():
        require(
            images >= least,
            f"the stage analyse needs {name} to be at least {least}",
            images,
            "Bring more images or leave out the stage analyse.",
        )


def top_of(cell: Cell) -> Cell:
    """The cell whose trajectory leads to the top of the schedule, in the stage's own number of steps."""
    steps = cell.stage_settings["analyse"].steps
    return cell.at(level=float(cell.model.schedule.timesteps), steps=steps, eta=0.0)


def passages(cell: Cell, settings: AnalyseSettings) -> tuple[list[float], dict[str, Tensor]]:
    """States on the way to the top of the schedule.

    Returns:
        The levels, ascending, and "unseen" and "training" -> float32 ``[n, levels, *state_shape]``.
    """
    child = top_of(cell)
    wanted = [*settings.levels, cell.levels[-1], child.levels[-1]]
    states: dict[str, Tensor] = {}
    levels: list[float] = []
    for name, images in domains(cell).items():
        levels, states[name] = passage(
            child, first(images, settings.n_latents), wanted, f"levels, {name} domain"
        )
    return levels, states


def round_trip_checks(trips: Mapping[str, Any], settings: AnalyseSettings) -> list[Check]:
    """C1, from what `round_trips` returned."""
    unseen, training = (
        {name: Estimate(**trips["own"][domain][name]) for name in ("retrieved", "snr", "psnr")}
        for domain in ("unseen", "training")
    )
    gain, picture = Estimate(**trips["snr_difference"]), PICTURES["round_trip"]
    return [
        retrieved(unseen["retrieved"], trips["gallery"], settings.min_retrieval, picture),
        as_exact(unseen, training, gain, settings.max_snr_loss, picture),
    ]


def latent_checks(found: Sequence[Mapping[str, Any]], own: int, settings: AnalyseSettings) -> list[Check]:
    """C2 and C3 at the level nearest to the cell's and at the top, C4 at the former.

    `found`: what `compared` returned, level by level; `own`: the number of the cell's.
    """
    checks = []
    for k in dict.fromkeys((own, len(found) - 1)):
        at, level = found[k], found[k]["level"]
        tests = {name: NullTest(**test) for name, test in at["unseen"]["gaussianity"].items()}
        latents, trivial, frechet = (
            NullTest(**at[name]) for name in ("separability", "trivial_separability", "frechet")
        )
        picture = PICTURES["spectra" if k == own else "latents"]
        checks += [
            gaussian(tests, settings.bands, level, picture),
            separable(latents, trivial, level, PICTURES["auc"]),
            distant(frechet, level, PICTURES["components"]),
        ]
    unseen, training = (
        {name: Estimate(**figure) for name, figure in found[own][domain]["isotropy"].items()}
        for domain in ("unseen", "training")
    )
    rules = {
        "norm_spread": (annulus, settings.max_norm_spread),
        "origin_angle": (orthogonal, settings.angle_band),
        "vertex_deviation": (equilateral, settings.max_vertex_deviation),
    }
    level, picture = found[own]["level"], PICTURES["angles"]
    checks += [
        rule(unseen[name], training[name], level, limit, picture) for name, (rule, limit) in rules.items()
    ]
    return checks
