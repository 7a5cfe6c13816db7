"""Results that were written before runs declared their figures: what those runs could measure, and what is
derived from it. This is history: nothing new is added here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ood_diffusion.figures import EVERYWHERE, Better, Figure, at, number_at

SAMPLES = "metrics/sets/samples"
METRICS = (
    Figure("fid", label="FID", better="lower",
           says="distance between the feature Gaussians of the set and of the held-out images"),
    Figure("kid", label="KID", better="lower",
           says="the same question by a kernel, unbiased in n; may dip below 0"),
    Figure("precision", better="higher", unit="share",
           says="share of the set that looks like a held-out image"),
    Figure("recall", better="higher", unit="share",
           says="share of held-out images that the set could have made"),
    Figure("density", better="higher", says="how crowded by held-out images the set lies; may exceed 1",
           surfaces=EVERYWHERE - {"collect", "tracking"}),
    Figure("coverage", better="higher", unit="share",
           says="share of held-out images with an image of the set close by",
           surfaces=EVERYWHERE - {"collect", "tracking"}),
)  # fmt: skip
COPIES = Figure("metrics/novelty/copies", better="lower", unit="share",
                says="share closer to a reference than 99 % of unseen images are",
                surfaces=frozenset({"terminal", "report", "dashboard"}))  # fmt: skip
GAP = Figure("bandwidth/gap/value", "gap", label="domain gap", interval="bandwidth/gap",
             says="FID between the unseen domain and the training domain",
             surfaces=frozenset({"report", "dashboard"}))  # fmt: skip
DIRECTIONS: tuple[tuple[str, Better], ...] = (
    ("reconstruct/psnr_min", "higher"),
    ("metrics/making/calls_per_*", "lower"),
    ("cost/network_calls/*", "lower"),
    ("cost/seconds/*", "lower"),
    ("cost/images_per_second/*", "higher"),
    ("cost/peak_memory_mib", "lower"),
)
"""Of what is shown nowhere."""
OTHERS = (
    Figure("metrics/ratios/fid", "fid_ratio", label="FID over that of real images", better="lower",
           says="of the samples over the references' own", surfaces=frozenset({"report", "dashboard"})),
    Figure("reconstruct/psnr_mean", "psnr", label="round-trip PSNR", better="higher", unit="dB",
           says="of references after inversion and denoising", spread="reconstruct/psnr_sd",
           of="reconstructions", surfaces=EVERYWHERE - {"leaderboard"}),
    Figure("metrics/novelty/ratio", "novelty",
           says="1: as far from the references as unseen images are; 0: copies"),
    replace(COPIES, interval="interference/own/copies", surfaces=frozenset({"leaderboard"})),
    COPIES,
    Figure("interference/own/capture/value", "capture", label="captured", better="lower", unit="share",
           says="share of samples taken for images of the training domain",
           interval="interference/own/capture", surfaces=frozenset({"report", "leaderboard", "dashboard"})),
    Figure("sample/share_kept", "acceptance", label="latents kept", unit="share",
           says="share of proposed latents that the selection keeps",
           surfaces=EVERYWHERE - {"collect", "tracking"}),
    Figure("metrics/making/calls_per_image", "cost", label="calls per image", better="lower",
           says="of the network, with the image's share of the inversions",
           surfaces=frozenset({"report", "leaderboard", "dashboard"})),
    GAP,
    Figure("interference/training_domain/fid_unseen/value", "gap", label=GAP.label, says=GAP.says,
           interval="interference/training_domain/fid_unseen", surfaces=GAP.surfaces),
    Figure("bandwidth/comparison/unseen/value", "bandwidth", unit="degrees",
           says="turn of a latent that half of the images survive", interval="bandwidth/comparison/unseen",
           surfaces=frozenset({"report", "dashboard"})),
    *(Figure(path, better=better, surfaces=frozenset()) for path, better in DIRECTIONS),
)  # fmt: skip


def completed(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """Older results with what a run writes today: its figures, and those that follow from others."""
    found = dict(results)
    if "sample" in results:
        found["sample"] = {**results["sample"], "share_kept": share_kept(results)}
    if "metrics" in results:
        making = {**results["metrics"].get("making", {}), "calls_per_image": calls_per_image(results)}
        ratios = {"fid": fid_ratio(results)}
        found["metrics"] = {**results["metrics"], "ratios": ratios, "making": making}
    return {**found, "figures": [each.as_json() for each in figures(results)]}


def figures(results: Mapping[str, Any]) -> list[Figure]:
    """Of the stages of that time, whether they ran or not, and of the user's metrics that did."""
    better = at(results, "metrics/better") or {}
    further = dict.fromkeys(name for name in at(results, SAMPLES) or {} if name != "n" and "/" not in name)
    others = [
        Figure(name, better=better[name] if better.get(name) in ("lower", "higher") else "neither")
        for name in further
        if name not in {each.name for each in METRICS}
    ]
    return [
        *(each.below(SAMPLES, interval=f"metrics/intervals/samples/{each.name}") for each in METRICS),
        *(each.below(SAMPLES, interval=f"metrics/intervals/samples/{each.name}") for each in others),
        *(of_set(each, "references") for each in (*METRICS, *others)),
        *(of_set(each, "reconstructions") for each in (*METRICS, *others)),
        *OTHERS,
    ]


def of_set(figure: Figure, name: str) -> Figure:
    """A metric of the references or of their reconstructions."""
    shown = figure.name == "fid" and name == "references"
    return figure.below(
        f"metrics/sets/{name}",
        name=f"{figure.name}_of_{name}",
        label=f"{figure.label} of {name}",
        of=name,
        surfaces={"tracking"} if shown else (),
    )


def share_kept(results: Mapping[str, Any]) -> float | None:
    """Of the proposed latents."""
    proposed, accepted = (number_at(results, f"sample/{name}") for name in ("proposed", "accepted"))
    return accepted / proposed if proposed and accepted is not None else None


def fid_ratio(results: Mapping[str, Any]) -> float | None:
    """Of the samples over that of the references."""
    fid, real = (number_at(results, f"metrics/sets/{name}/fid") for name in ("samples", "references"))
    return fid / real if real and fid is not None else None


def calls_per_image(results: Mapping[str, Any]) -> float | None:
    """Of the network: to denoise it, and its share of the inversions."""
    invert, denoise = (number_at(results, f"metrics/making/calls_per_{x}") for x in ("reference", "sample"))
    references, samples = (number_at(results, f"coordinates/n_{name}") for name in ("references", "samples"))
    if invert is None or denoise is None or references is None or not samples:
        return None
    return denoise + invert * references / samples
