"""Bank of latents -> prior -> new latents."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ood_diffusion.api.composed import Values, as_user_errors, composed
from ood_diffusion.api.latents import Latents
from ood_diffusion.checks import UserError, require
from ood_diffusion.priors.base import Prior
from ood_diffusion.runs.assemble import build, plain
from ood_diffusion.runs.feasible import Learner, check_learner
from ood_diffusion.runs.settings import read_settings
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.propose import Acceptance, Proposer
from ood_diffusion.samplers.selection import Selection


def draw(
    references: Latents,
    n_samples: int | None = None,
    *,
    prior: str | Prior | None = None,
    sampler: str | Sampler | None = None,
    selection: str | Selection | None = None,
    seed: int | None = None,
    settings: Values | None = None,
) -> Latents:
    """Learn the prior of the references' latents, and draw new ones.

    Whatever is None is what the command takes (`conf/config.yaml`). Latent i of a seed is the same however
    many are drawn.

    Args:
        references: the bank, from `invert`.
        n_samples: latents wanted.
        prior: a name in ``conf/prior``, or a prior (which is fitted here).
        sampler: a name in ``conf/sampler``, or a sampler.
        selection: a name in ``conf/selection``, or a selection; then say with ``selection.max_proposals`` in
            `settings` how many proposals it may see per wanted latent.
        seed: determines the draws, item by item.
        settings: more, by their names in `conf/`: ``{"sampler.parents": 3, "selection.tolerance": 3}``.

    Returns:
        New latents of the references' level.

    Raises:
        UserError: for settings that cannot work, or if the selection keeps too few.

    Examples:
        >>> from ood_diffusion import draw, invert, load_domain, load_model
        >>> model = load_model("cats_64")
        >>> references, _ = load_domain("galaxies_sim", model, n_references=4, n_held_out=1)
        >>> bank = invert(model, references, level=600, steps=1)
        >>> draw(bank, 8, prior="gaussian", sampler="draw", seed=0).values.shape
        torch.Size([8, 3, 64, 64])
    """
    require(
        isinstance(references, Latents), "draw needs Latents", type(references).__name__, "Call invert first."
    )
    given: dict[str, str | Learner | None] = {"prior": prior, "sampler": sampler, "selection": selection}
    knobs = {key: value for key, value in (("n_samples", n_samples), ("seed", seed)) if value is not None}
    names = {group: part if isinstance(part, str) else None for group, part in given.items()}
    cfg, chosen = composed(names, {**(settings or {}), **knobs})
    asked = read_settings(cfg)
    with as_user_errors():
        said = {group: plain(cfg[group]) for group in given}
        limit = said["selection"].pop("max_proposals") * asked.n_samples

        def part(group: str) -> Any:
            own = given[group]
            if own is None or isinstance(own, str):
                name, made = chosen[group], build(said[group])
            else:
                name, made = type(own).__name__, own
            check_learner(group, name, made, len(references))
            return made

        parts = part("prior"), part("sampler"), part("selection")
    proposer = Proposer(*parts, asked.n_samples, asked.seed, limit)
    drawn = proposer.fitted(references.values / references.spread, no_pictures).items(Acceptance())
    return replace(references, values=references.spread * torch.cat(list(drawn)))


def no_pictures() -> Tensor:
    """Raises: latents alone do not say what the references look like."""
    raise UserError(
        "this sampler needs the references' pictures, but got latents alone. Set sampler.neighbours=0, "
        "or use the command."
    )
