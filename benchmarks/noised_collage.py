"""A collage of pixels, noised and denoised by the network, against the collage itself (docs/concepts.md).

    python -m benchmarks.noised_collage [data=FOLDER] [LEVEL …]

On buildings (`buildings-64.zip` in the folder data=…), where a collage is hardest to beat: a recipe that
loses there cannot become the default. 48 references, 64 images, 8 steps of `cats_64` in bf16, seed 0, 512
held-out images. Every row is compared with the first, image by image; of mixtures and variants the larger
share of those in pixels and in features is printed.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ood_diffusion import load_domain, load_model
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0
from ood_diffusion.metrics.mixture import PixelMixture, mixtures_and_variants
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import as_stored, to_unit_range
from ood_diffusion.priors.span import Span
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.samplers.local_combination import LocalCombination
from ood_diffusion.seeding import generator
from ood_diffusion.statistics.feature_intervals import fid_influence

REFERENCES, IMAGES, HELD_OUT, STEPS, BATCH = 48, 64, 512, 8, 32
HEADS = ("recipe", "FID", "minus collage of pixels", "near-copies", "mixtures", "variants")


def collage(pictures: Tensor, width: float) -> Tensor:
    """Parts of four references side by side, variance kept, float32 ``[IMAGES, C, H, W]``."""
    sampler = LocalCombination(parents=4, width=width, sharpness=4, neighbours=0)
    sampler.bind(pictures, Span().fit(pictures))
    return sampler.draw([generator(0, "proposal", i) for i in range(IMAGES)])


def denoised(model: FrozenModel, x: Tensor, level: float) -> Tensor:
    """With fresh noise of this level, which the network removes (SDEdit, Meng et al. 2022)."""
    noisy = marginal(x, level, model.schedule, [generator(0, "sdedit", i) for i in range(IMAGES)])
    levels = uniform_lambda(model.schedule, level, STEPS)[::-1]
    parts = noisy.split(BATCH)
    return torch.cat([integrate(model.eps, part, model.schedule, levels, DPMpp2M()) for part in parts])


def made(model: FrozenModel, pictures: Tensor, levels: Sequence[float]) -> Iterator[tuple[str, Tensor]]:
    """Every row's name and images."""
    parts = collage(pictures, 8)
    yield "collage of pixels", parts
    yield "collage of pixels, wider parts (12)", collage(pictures, 12)
    for level in levels:
        yield f"noise of level {level:g} on it, removed by the network", denoised(model, parts, level)


@torch.inference_mode()
def main(arguments: Sequence[str]) -> None:
    """Print the table, row by row."""
    levels = [float(word) for word in arguments if "=" not in word] or [30.0, 100.0]
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    path = str(Path(given.get("data", "data"), "buildings-64.zip"))
    model, judge = load_model("cats_64", precision="bf16"), EfficientNetLite0(128)
    references, held_out = load_domain(
        "image_zip", model, n_references=REFERENCES, n_held_out=HELD_OUT, path=path
    )

    def features(images: Tensor) -> Tensor:
        return torch.cat([judge(part) for part in images.split(BATCH)]).float()

    of_held_out, of_references = features(held_out), features(references)
    print(f"| {' | '.join(HEADS)} |\n{'|---' * len(HEADS)}|")
    first = None
    for name, x in made(model, to_unit_range(references), levels):
        images = as_stored(x, torch.uint8)
        found, pixels = features(images), PixelMixture()
        pixels.bind(references)
        pixels.update(held_out, real=True)
        pixels.update(images, real=False)
        in_features = mixtures_and_variants(found, of_held_out, of_references, 128)
        fid = fid_influence(found, of_held_out)
        first = first or fid
        less = fid.minus(first).interval()
        cells = [name, f"{fid.value:.0f}", plus_minus([less.value, less.low, less.high])]
        cells.append(f"{novelty(found, of_references, of_held_out)['copies']:.0%}")
        cells += [f"{max(each):.0%}" for each in zip(pixels.compute().values(), in_features, strict=True)]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
