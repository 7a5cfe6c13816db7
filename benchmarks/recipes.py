"""Recipes that were tried against a collage of pixels (docs/concepts.md), most of them not in the package.

    python -m benchmarks.recipes [data=FOLDER] [cells=FOLDER]

On buildings (`buildings-64.zip` in the folder data=…), where a collage is hardest to beat: a recipe that
loses there cannot become the default. 48 references, 64 new images by 8 steps of `cats_64` in bf16, seed 0,
512 held-out images. Every finished row is a file in cells=… and is not computed again.

Printed: FID; FID minus that of `collage`, paired; shares of near-copies, mixtures and variants, of the last
two the larger of those in pixels and in features.
"""

import itertools
import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Generator, Tensor

from ood_diffusion import load_domain, load_model
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.lightning.trajectory import inverting
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0
from ood_diffusion.metrics.mixture import PixelMixture, mixtures_and_variants
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import as_stored, to_unit_range
from ood_diffusion.priors.base import Prior
from ood_diffusion.priors.kde import KDE
from ood_diffusion.priors.shrunk import Shrunk
from ood_diffusion.priors.span import Span
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.samplers.base import Sampler
from ood_diffusion.samplers.draw import Draw
from ood_diffusion.samplers.local_combination import LocalCombination
from ood_diffusion.seeding import generator, normal
from ood_diffusion.statistics.feature_intervals import Influence, fid_influence

REFERENCES, IMAGES, HELD_OUT, STEPS = 48, 64, 512, 8


class Clusters(Sampler):
    """Draws from the span of one of k clusters of references, found among their pictures at 8×8 pixels."""

    uses_prior, uses_pictures = False, True

    def __init__(self, k: int) -> None:
        self.k = k

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """See `Sampler.draw`."""
        small = torch.nn.functional.adaptive_avg_pool2d(self.pictures, 8).flatten(1)
        centres = small[: self.k]
        for _ in range(50):  # Lloyd's algorithm
            own = torch.cdist(small, centres).argmin(dim=1)
            centres = torch.stack([small[own == j].mean(dim=0) for j in range(self.k)])
        spans = [Span().fit(self.references[own == j]) for j in range(self.k)]
        chosen = [int(own[torch.randint(len(own), (), generator=g)]) for g in generators]
        return torch.cat([spans[j].draw([g]) for j, g in zip(chosen, generators, strict=True)])


class Factors(Prior):
    """The references' k first principal components, and at each place the variance that is left there."""

    def __init__(self, k: int) -> None:
        self.k = k

    def fit(self, latents: Tensor) -> "Factors":
        """See `Prior.fit`."""
        self.mean = latents.mean(dim=0)
        centred = (latents - self.mean).flatten(1) / math.sqrt(len(latents) - 1)
        _, scale, directions = torch.linalg.svd(centred, full_matrices=False)
        self.factors = scale[: self.k, None] * directions[: self.k]
        rest = centred - centred @ directions[: self.k].T @ directions[: self.k]
        self.deviation = rest.square().sum(dim=0).sqrt().view_as(self.mean)
        return self

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """See `Prior.draw`."""
        weights = normal(generators, (self.k,))
        return (
            self.mean
            + (weights @ self.factors).view(-1, *self.mean.shape)
            + self.deviation * normal(generators, self.mean.shape)
        )


class Screen:
    """The domain's images, and what is made of them."""

    def __init__(self, model: FrozenModel, path: Path) -> None:
        self.model = model
        self.references, self.held_out = load_domain(
            "image_zip", model, n_references=REFERENCES, n_held_out=HELD_OUT, path=str(path)
        )
        self.pictures = to_unit_range(self.references)
        self.banks: dict[tuple[float, float], Tensor] = {}

    def drawn(self, sampler: Sampler, prior: Prior, level: float = 0, floor: float = 0) -> Tensor:
        """Proposals from the bank of this level; of level 0, pixels."""
        bank = self.bank(level, floor) if level else self.pictures
        sampler.bind(bank, prior.fit(bank))
        sampler.pictures = self.pictures
        return sampler.draw([generator(0, "proposal", i) for i in range(IMAGES)])

    def bank(self, level: float, floor: float) -> Tensor:
        """The references' latents. Up to the floor noise is drawn; from there on, inverted."""
        if (level, floor) not in self.banks:
            streams = [generator(0, "floor", i) for i in range(REFERENCES)]
            start = marginal(self.pictures, floor, self.model.schedule, streams)
            self.banks[level, floor] = self.inverted(start, level, floor)
        return self.banks[level, floor]

    def inverted(self, x: Tensor, level: float, floor: float = 0) -> Tensor:
        """States at this level of those at the floor."""
        grid = uniform_lambda(self.model.schedule, level, STEPS)
        return self.walked(x, [floor, *(t for t in grid if t > 1.1 * floor)], inverts=True)

    def decoded(self, z: Tensor, level: float, eta: Callable[[float], float] = lambda t: 0.0) -> Tensor:
        """Denoised; each step with the eta of the level that it starts from."""
        grid = uniform_lambda(self.model.schedule, level, STEPS)[::-1]
        stretches = [grid[:1]]
        for a, b in itertools.pairwise(grid):
            if a != grid[0] and eta(a) != eta(stretches[-1][0]):
                stretches.append([a])
            stretches[-1].append(b)
        for stretch in stretches:
            z = self.walked(z, stretch, eta(stretch[0]))
        return z

    @torch.inference_mode()
    def walked(self, x: Tensor, levels: Sequence[float], eta: float = 0, inverts: bool = False) -> Tensor:
        """Along these levels, 32 at a time."""
        eps = inverting(self.model) if inverts else self.model.eps
        streams = [generator(0, "noise", int(levels[0]), i) for i in range(len(x))]

        def along(part: Tensor, its: Sequence[Generator]) -> Tensor:
            noise = lambda: normal(its, part.shape[1:])  # noqa: E731
            return integrate(eps, part, self.model.schedule, levels, DPMpp2M(), eta, noise)

        return torch.cat([along(x[i : i + 32], streams[i : i + 32]) for i in range(0, len(x), 32)])

    @cached_property
    def judge(self) -> EfficientNetLite0:
        """The default's."""
        return EfficientNetLite0(128)

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """float32 ``[n, d]``."""
        return torch.cat([self.judge(part) for part in images.split(64)]).float()

    @cached_property
    def known(self) -> tuple[Tensor, Tensor]:
        """Features of held-out images and of references."""
        return self.features(self.held_out), self.features(self.references)

    @cached_property
    def yardstick(self) -> Influence:
        """FID of `collage`."""
        return fid_influence(self.features(as_stored(collage(self), torch.uint8)), self.known[0])

    def judged(self, x: Tensor) -> dict[str, float]:
        """What is printed, and the shares by name; of float images ``[n, C, H, W]``."""
        images, (held_out, references) = as_stored(x, torch.uint8), self.known
        features, pixels = self.features(images), PixelMixture()
        pixels.bind(self.references)
        pixels.update(self.held_out, real=True)
        pixels.update(images, real=False)
        shares = {name: float(value) for name, value in pixels.compute().items()}
        in_features = mixtures_and_variants(features, held_out, references, 128)
        fid = fid_influence(features, held_out)
        less = fid.minus(self.yardstick).interval()
        return {
            "fid": fid.value,
            "less": less.value,
            "half": (less.high - less.low) / 2,
            "copies": novelty(features, references, held_out)["copies"],
            **shares,
            **{f"{name}_features": float(s) for name, s in zip(shares, in_features, strict=True)},
        }


def parts(width: float = 8, noise: float = 0, parents: int = 4) -> tuple[Sampler, Prior]:
    """A collage of references."""
    return LocalCombination(parents, width, 4, 0, noise), Shrunk(None)


def noised(screen: Screen, level: float) -> Tensor:
    """The collage of pixels with fresh noise, denoised."""
    streams = [generator(0, "sdedit", i) for i in range(IMAGES)]
    return screen.decoded(marginal(collage(screen), level, screen.model.schedule, streams), level)


def inverted(screen: Screen, level: float, h: float) -> Tensor:
    """The collage of pixels, inverted, with a share h of a draw of the prior, denoised."""
    bank = screen.bank(level, 0)
    mean, streams = bank.mean(dim=0), [generator(0, "prior", i) for i in range(IMAGES)]
    z = mean + math.sqrt(1 - h**2) * (screen.inverted(collage(screen), level) - mean)
    return screen.decoded(z + h * (Shrunk(None).fit(bank).draw(streams) - mean), level)


def latents(
    recipe: Callable[[], tuple[Sampler, Prior]],
    level: float = 500,
    floor: float = 0,
    eta: Callable[[float], float] = lambda t: 0.0,
) -> Callable[[Screen], Tensor]:
    """A recipe on latents."""
    return lambda screen: screen.decoded(screen.drawn(*recipe(), level, floor), level, eta)


def collage(screen: Screen) -> Tensor:
    """What recipes are compared with: parts of four references side by side, in pixels, variance kept."""
    return screen.drawn(*parts())


def noisy() -> tuple[Sampler, Prior]:
    """The recipe that comes nearest to the rule."""
    return parts(noise=0.3)


RECIPES: dict[str, Callable[[Screen], Tensor]] = {
    "collage of pixels": collage,
    "collage of pixels, wider parts (12)": lambda screen: screen.drawn(*parts(12)),
    "collage of latents": latents(parts),
    "collage of latents, noise 0.3": latents(noisy),
    "collage of pixels, noise of level 30 removed": lambda screen: noised(screen, 30),
    "collage of pixels, noise of level 100 removed": lambda screen: noised(screen, 100),
    "collage of pixels, inverted to level 300, noise 0.1": lambda screen: inverted(screen, 300, 0.1),
    "collage of latents, noise 0.3, eta 1 above level 300": latents(noisy, eta=lambda t: float(t > 300)),
    "collage of latents, noise 0.3, eta 1 below level 100": latents(noisy, eta=lambda t: float(t < 100)),
    "collage of latents, floor 30": latents(parts, floor=30),
    "draw, 6 clusters": latents(lambda: (Clusters(6), Span())),
    "draw, 12 factors + diagonal": latents(lambda: (Draw(), Factors(12))),
    "collage of latents, noise 0.3, level 900": latents(noisy, 900),
    "draw, `kde`, h 0.4, level 900": latents(lambda: (Draw(), KDE(0.4)), 900),
}


def main(arguments: Sequence[str]) -> None:
    """Compute what is missing, and print the table."""
    given = dict(word.split("=", 1) for word in arguments)
    folder = Path(given.get("cells", "outputs/recipes"))
    folder.mkdir(parents=True, exist_ok=True)
    screen = None
    heads = ["recipe", "FID", "minus collage of pixels", "near-copies", "mixtures", "variants"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for recipe, make in RECIPES.items():
        path = folder / f"{recipe}.json"
        if not path.exists():
            path_of_data = Path(given.get("data", "data"), "buildings-64.zip")
            screen = screen or Screen(load_model("cats_64", precision="bf16"), path_of_data)
            path.write_text(json.dumps(screen.judged(make(screen))))
            print(path.stem, path.read_text(), file=sys.stderr, flush=True)
        print(f"| {recipe} | {shown(json.loads(path.read_text()))} |", flush=True)


def shown(row: dict[str, float]) -> str:
    """Its cells."""
    less = plus_minus([row["less"], row["less"] - row["half"], row["less"] + row["half"]])
    shares = [row["copies"], *(max(row[name], row[f"{name}_features"]) for name in ("mixture", "variant"))]
    return " | ".join([f"{row['fid']:.0f}", less if row["half"] else "0", *(f"{x:.0%}" for x in shares)])


if __name__ == "__main__":
    main(sys.argv[1:])
