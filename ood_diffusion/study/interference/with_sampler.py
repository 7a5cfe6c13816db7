"""The same run with another way to propose and keep latents."""

from collections.abc import Mapping
from typing import Any

from ood_diffusion.checks import require
from ood_diffusion.runs.assemble import build, with_code
from ood_diffusion.runs.feasible import check_learners
from ood_diffusion.runs.run import Run

PARTS = ("prior", "sampler", "selection")


def with_sampler(run: Run, name: str, parts: Mapping[str, Mapping[str, Any]], **knobs: Any) -> Run:
    """A child with this prior, sampler and selection.

    Its draws have the address that they have in a run with the three as its own, so each finds the other's.

    Args:
        run: the parent.
        name: what error messages call it.
        parts: the composed settings of the groups in `PARTS`, as plain dictionaries.
        knobs: passed on to `Run.at`.

    Raises:
        UserError: if a group is missing or another there, or one needs more references than the run has.
    """
    require(set(parts) == set(PARTS), f"{name} must hold {PARTS}", sorted(parts), "Compose all three.")
    selection = dict(parts["selection"])
    child = run.at(
        draw_recipe={group: with_code(parts[group]) for group in PARTS},
        max_proposals=selection.pop("max_proposals"),
        prior=build(dict(parts["prior"])),
        sampler=build(dict(parts["sampler"])),
        selection=build(selection),
        names={**run.names, **dict.fromkeys(PARTS, name)},
        **knobs,
    )
    check_learners(child)
    return child
