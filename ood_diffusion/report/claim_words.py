"""The claims that a run can test, and how their checks are read from `results.json` and written."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ood_diffusion.report.wording import MISSING, number

Verdict = Literal["supported", "not supported", "inconclusive"]

CLAIMS: dict[str, str] = {
    "C1": "A model of one domain reconstructs arbitrary images",
    "C2": "Inverted latents of an unseen domain are approximately Gaussian",
    "C3": "They are separable from the model's own latents",
    "C4": "They lie as isotropic Gaussians do: thin annulus, right angles, 60° triangles",
    "C5": "New latents decode to new images of the unseen domain",
    "C6": "A larger domain gap gives a wider usable band around a latent",
    "C7": "As eta grows, samples are captured by the training domain",
    "C8": "Generation in the training domain is unaffected",
    "C9": "Few images are enough",
    "C10": "It works for astrophysics and for style transfer",
    "baseline": "Better than fine-tuning and SDEdit on the same images (this project's claim)",
    "auto": "level=auto recommends a level as good as the best (this project's claim)",
}
"""The claims of arXiv 2310.09213, in this project's words and numbering (docs/claims.md), and two of ours."""


def checks_of(results: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The checks of all stages, in the order of `CLAIMS`, others after them."""
    found = [
        check
        for section in results.values()
        if isinstance(section, dict)
        for check in section.get("checks", [])
    ]
    order = {claim: place for place, claim in enumerate(CLAIMS)}
    return iter(sorted(found, key=lambda check: order.get(check["claim"], len(order))))


def says(check: Mapping[str, Any]) -> str:
    """What the claim of a check says; a claim that is not among `CLAIMS` brings its own words."""
    return CLAIMS.get(check["claim"]) or str(check.get("says", ""))


def overall(verdicts: list[Verdict]) -> Verdict:
    """Of several checks: not supported if one denies the claim, supported if all support it."""
    if "not supported" in verdicts:
        return "not supported"
    return "supported" if verdicts and set(verdicts) == {"supported"} else "inconclusive"


def verdicts(results: Mapping[str, Any]) -> dict[str, Verdict]:
    """Claim -> `overall` verdict, for the claims that have checks."""
    found: dict[str, list[Verdict]] = {}
    for check in checks_of(results):
        found.setdefault(check["claim"], []).append(check["verdict"])
    return {claim: overall(of_claim) for claim, of_claim in found.items()}


def interval(estimate: Mapping[str, Any]) -> str:
    """``value [low, high]``, without brackets where there is no interval."""
    value, low, high = (estimate.get(key) for key in ("value", "low", "high"))
    if low == high or (low is None and high is None):
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]" if value is not None else MISSING
