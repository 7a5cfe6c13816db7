"""Recipes for new images against a collage of pixels, most of them not in the package (docs/concepts.md).

    python -m benchmarks.recipes [table=choices] [data=FOLDER] [DOMAIN …]

Without domains: all of `DOMAINS`; buildings are read from `buildings-64.zip` in the folder data=…. 48
references, 64 new images by 8 steps of `cats_64`, seed 0, 512 held-out images. Printed: by domain the FID of
a collage of pixels, and below it that of every other recipe minus it, paired; and in the worst domain
the shares of near-copies, mixtures and variants, of the last two the larger of those in pixels and in
features. table=choices: what it is worth to choose among such collages, by the network or without it.
"""

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.fft import irfft2, rfft2
from torch.nn.functional import adaptive_avg_pool2d

from ood_diffusion import load_domain, load_model
from ood_diffusion.diffusion.dpmpp_2m import DPMpp2M
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.marginal import marginal
from ood_diffusion.geometry.spectrum import apply_filter, matrix_power, power_spectrum
from ood_diffusion.lightning.trajectory import inverting
from ood_diffusion.metrics.efficientnet_lite0 import EfficientNetLite0
from ood_diffusion.metrics.mixture import PixelMixture, mixtures_and_variants
from ood_diffusion.metrics.novelty import novelty
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.pixels import as_stored, to_unit_range
from ood_diffusion.priors.kde import KDE
from ood_diffusion.priors.shrunk import Shrunk
from ood_diffusion.priors.span import Span
from ood_diffusion.report.sections import plus_minus
from ood_diffusion.samplers.local_combination import LocalCombination
from ood_diffusion.seeding import generator, normal
from ood_diffusion.statistics.feature_intervals import Influence, fid_influence

REFERENCES, IMAGES, HELD_OUT, STEPS, BATCH = 48, 64, 512, 8, 32
DOMAINS = {"galaxies": "galaxies_sim", "radiation fields": "radiation_sim", "buildings": "image_zip"}

Denoiser = Callable[[Tensor, float], Tensor]
"""Noisy images and their level -> an estimate of the clean ones."""


def streams(name: str, n: int = IMAGES) -> list[Generator]:
    """One generator an image."""
    return [generator(0, name, i) for i in range(n)]


class Screen:
    """A domain, the network's way up and down, and a judge of new images."""

    def __init__(self, model: FrozenModel, references: Tensor, held_out: Tensor) -> None:
        self.model, self.schedule, self.network = model, model.schedule, EfficientNetLite0(128)
        self.references, self.held_out, self.pictures = references, held_out, to_unit_range(references)
        self.known, self.real = self.features(references), self.features(held_out)
        self.bank = cache(self._bank)

    def features(self, images: Tensor) -> Tensor:
        """float32 ``[n, d]``."""
        return torch.cat([self.network(part) for part in images.split(BATCH)]).float()

    def judged(self, images: Tensor) -> tuple[Influence, list[float]]:
        """FID; shares of near-copies, mixtures and variants."""
        features, pixels = self.features(images), PixelMixture()
        pixels.bind(self.references)
        pixels.update(self.held_out, real=True)
        pixels.update(images, real=False)
        in_features = mixtures_and_variants(features, self.real, self.known, 128)
        copies = novelty(features, self.known, self.real)["copies"]
        pairs = zip(pixels.compute().values(), in_features, strict=True)
        return fid_influence(features, self.real), [copies, *(float(max(pair)) for pair in pairs)]

    def grid(self, level: float) -> list[float]:
        """Levels from 0 up."""
        return uniform_lambda(self.schedule, level, STEPS)

    def _bank(self, level: float, floor: float = 0) -> Tensor:
        """The references' latents. Up to the floor noise is drawn; from there on, inverted."""
        start = marginal(self.pictures, floor, self.schedule, streams("floor", REFERENCES))
        return self.walked(start, [floor, *(t for t in self.grid(level) if t > 1.1 * floor)])[-1]

    def decoded(self, z: Tensor, level: float, noisy_above: float = math.inf) -> Tensor:
        """Denoised, with eta 1 above one level and 0 below."""
        down = self.grid(level)[::-1]
        turn = sum(t > noisy_above for t in down)
        if turn:
            z = self.walked(z, down[: turn + 1], eta=1)[-1]
        return self.walked(z, down[turn:])[-1]

    def walked(self, x: Tensor, levels: Sequence[float], eta: float = 0) -> list[Tensor]:
        """The states at these levels."""
        eps = inverting(self.model) if levels[-1] > levels[0] else self.model.eps

        def along(part: Tensor, its: Sequence[Generator]) -> list[Tensor]:
            states = [part]
            noise = partial(normal, its, part.shape[1:])
            integrate(eps, part, self.schedule, levels, DPMpp2M(), eta, noise, states.append)
            return states

        its = streams("noise", len(x))
        parts = [along(x[i : i + BATCH], its[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        return [torch.cat(states) for states in zip(*parts, strict=True)]

    def cleaned(self, noisy: Tensor, level: float) -> Tensor:
        """The network's estimate of the clean images, in one call."""
        eps = torch.cat([self.model.eps(part, level) for part in noisy.split(BATCH)])
        return (noisy - self.schedule.sigma(level) * eps) / self.schedule.alpha(level)

    def filtered(self, noisy: Tensor, level: float) -> Tensor:
        """The estimate of the best linear filter for the references' mean and power spectrum."""
        alpha, mean = self.schedule.alpha(level), self.pictures.mean(dim=0)
        power = rfft2(self.pictures - mean, norm="ortho").abs().square().mean(dim=0)
        gain = alpha * power / (alpha**2 * power + self.schedule.sigma(level) ** 2)
        waves = gain * rfft2(noisy - alpha * mean, norm="ortho")
        return mean + irfft2(waves, s=mean.shape[-2:], norm="ortho")


def parts(bank: Tensor, width: float = 8, noise: float = 0, n: int = IMAGES) -> Tensor:
    """Parts of four references side by side, variance kept."""
    sampler = LocalCombination(4, width, 4, 0, noise)
    sampler.bind(bank, (Shrunk(None) if noise else Span()).fit(bank))
    return sampler.draw(streams("proposal", n))


def shares(screen: Screen, n: int = IMAGES) -> Tensor:
    """Of every reference in every place of the first collages, ``[n, REFERENCES, H, W]``."""
    size = screen.pictures.shape[-2:]
    sampler = LocalCombination(4, 8, 4, 0).plain()
    one_hot = torch.eye(REFERENCES)[:, :, None, None].expand(-1, -1, *size)
    sampler.bind(one_hot, Span().fit(screen.pictures))
    return sampler.draw(streams("proposal", n))


def noised(screen: Screen, level: float) -> Tensor:
    """The collage of pixels with fresh noise, denoised (SDEdit, Meng et al. 2022)."""
    noisy = marginal(parts(screen.pictures), level, screen.schedule, streams("sdedit"))
    return screen.decoded(noisy, level)


def averaged(screen: Screen, level: float, copies: int = 8) -> Tensor:
    """The network's mean estimate of the collage of pixels, over fresh noise."""
    x = parts(screen.pictures)
    noisy = (marginal(x, level, screen.schedule, streams(f"copy {k}")) for k in range(copies))
    return torch.stack([screen.cleaned(each, level) for each in noisy]).mean(dim=0)


def painted(screen: Screen, level: float) -> Tensor:
    """Only seams are drawn: where one reference has most weight, states are the inverted collage's."""
    x, grid = parts(screen.pictures), screen.grid(level)
    kept = shares(screen).amax(dim=1, keepdim=True) > 0.75
    *below, top = screen.walked(x, grid)
    z = torch.where(kept, top, marginal(x, level, screen.schedule, streams("painted")))
    for (b, a), known in reversed(list(zip(itertools.pairwise(grid), below, strict=True))):
        z = torch.where(kept, known, screen.walked(z, [a, b])[-1])
    return z


def chosen(screen: Screen, of: int, denoise: Denoiser, levels: Sequence[float] = (30, 100)) -> Tensor:
    """Of so many collages of pixels for one, those whose seams look least like seams to a denoiser.

    Denoising errors sum up to a log-likelihood (Guo et al. 2005): here their excess over those of the same
    places in the references, per place that is shared.
    """
    x, weights = parts(screen.pictures, n=of * IMAGES), shares(screen, of * IMAGES)
    excess, both = torch.zeros(len(x)), torch.cat([screen.pictures, x])
    for level in levels:
        noise = screen.schedule.sigma(level) * normal([generator(0, "error")], x.shape[1:])
        cleaned = denoise(screen.schedule.alpha(level) * both + noise, level)
        of_references, error = (cleaned - both).square().mean(dim=1).tensor_split([REFERENCES])
        own = torch.einsum("nrhw,rhw->nhw", weights, of_references)
        excess += (error - own).mean(dim=(1, 2)) * screen.schedule.s(level) ** -2
    return x[(excess / seams(weights)).argsort()[:IMAGES]]


def seams(weights: Tensor) -> Tensor:
    """How much of each collage is shared, ``[n]``."""
    return 1 - weights.amax(dim=1).mean(dim=(1, 2))


def fewest_seams(screen: Screen, of: int) -> Tensor:
    """Of so many collages of pixels for one, those of which least is shared."""
    order = seams(shares(screen, of * IMAGES)).argsort()
    return parts(screen.pictures, n=of * IMAGES)[order[:IMAGES]]


def inverted(screen: Screen, level: float, h: float) -> Tensor:
    """The collage of pixels, inverted, with a share h of a draw of the prior, denoised."""
    bank = screen.bank(level)
    mean, prior = bank.mean(dim=0), Shrunk(None).fit(bank)
    z = screen.walked(parts(screen.pictures), screen.grid(level))[-1]
    z = mean + math.sqrt(1 - h**2) * (z - mean) + h * (prior.draw(streams("prior")) - mean)
    return screen.decoded(z, level)


def clusters(bank: Tensor, k: int) -> Tensor:
    """Each from the span of one of k clusters (Lloyd's algorithm on 8×8 places) with two members or more."""
    small = adaptive_avg_pool2d(bank, 8).flatten(1)
    own, centres = torch.arange(len(bank)), small[:k]
    for _ in range(50):
        own = torch.cdist(small, centres).argmin(dim=1)
        centres = torch.stack([small[own == j].mean(dim=0) for j in range(k)])
    many = own[own.bincount()[own] > 1]
    spans = {int(j): Span().fit(bank[own == j]) for j in many.unique()}
    its = streams("draw")
    picks = (int(many[torch.randint(len(many), (), generator=g)]) for g in its)
    return torch.cat([spans[j].draw([g]) for j, g in zip(picks, its, strict=True)])


def factors(bank: Tensor, k: int) -> Tensor:
    """From the k first principal components, and at each place the variance that is left there."""
    mean = bank.mean(dim=0)
    centred = (bank - mean).flatten(1) / math.sqrt(len(bank) - 1)
    _, scale, directions = torch.linalg.svd(centred, full_matrices=False)
    rest = centred - centred @ directions[:k].T @ directions[:k]
    its = streams("draw")
    common = normal(its, (k,)) * scale[:k] @ directions[:k]
    own = rest.square().sum(dim=0).sqrt() * normal(its, rest.shape[1:])
    return mean + (common + own).view(-1, *mean.shape)


def bandwidth(white: Tensor) -> float:
    """Of `KDE`, by leave-one-out likelihood of points ``[n, d]`` that are centred and white."""
    inner, d = white.double() @ white.double().T, white.shape[1]
    squares = inner.diagonal()

    def likelihood(h: float) -> float:
        g = math.sqrt(1 - h**2)
        away = squares[:, None] + g**2 * squares - 2 * g * inner
        kernels = (-away / (2 * h**2)).fill_diagonal_(-math.inf)
        return float(kernels.logsumexp(dim=1).sum()) - len(white) * d * math.log(h)

    return max((i / 100 for i in range(5, 101)), key=likelihood)


def learned_kde(bank: Tensor) -> Tensor:
    """Draws at the `bandwidth` of latents whitened by their power spectrum."""
    mean = bank.mean(dim=0)
    white = apply_filter(matrix_power(power_spectrum(bank, mean), -0.5), bank - mean).flatten(1)
    h = bandwidth(white)
    print(f"bandwidth {h}", file=sys.stderr)
    return KDE(h).fit(bank).draw(streams("draw"))


mixed = partial(parts, noise=0.3)
RECIPES: dict[str, Callable[[Screen], Tensor]] = {
    "collage of pixels": lambda s: parts(s.pictures),
    "the same, wider parts (12)": lambda s: parts(s.pictures, width=12),
    "the same, noise of level 30, removed by the network": lambda s: noised(s, 30),
    "the same, mean of 8 such copies": lambda s: averaged(s, 30),
    "the same, seams drawn by the network from level 300": lambda s: painted(s, 300),
    "the same, the quarter whose seams the network denoises best": lambda s: chosen(s, 4, s.cleaned),
    "the same, inverted to level 300, noise 0.1 of the prior": lambda s: inverted(s, 300, 0.1),
    "collage of latents": lambda s: s.decoded(parts(s.bank(500)), 500),
    "collage of latents, floor 30": lambda s: s.decoded(parts(s.bank(500, 30)), 500),
    "collage of latents, noise 0.3, eta 1 above level 300": lambda s: s.decoded(mixed(s.bank(500)), 500, 300),
    "collage of latents, noise 0.3, level 900": lambda s: s.decoded(mixed(s.bank(900)), 900),
    "draw from 6 clusters": lambda s: s.decoded(clusters(s.bank(500), 6), 500),
    "draw from 12 factors and a diagonal": lambda s: s.decoded(factors(s.bank(500), 12), 500),
    "draw from `kde`, learned bandwidth": lambda s: s.decoded(learned_kde(s.bank(500)), 500),
}

CHOICES: dict[str, Callable[[Screen], Tensor]] = {
    "collage of pixels": lambda s: parts(s.pictures),
    "one in four, chosen by a linear filter": lambda s: chosen(s, 4, s.filtered),
    "one in eight, chosen by a linear filter": lambda s: chosen(s, 8, s.filtered),
    "one in eight, chosen by the network": lambda s: chosen(s, 8, s.cleaned),
    "one in eight, with the fewest seams": lambda s: fewest_seams(s, 8),
}


@torch.inference_mode()
def main(arguments: Sequence[str]) -> None:
    """Print the table, row by row."""
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    names = [word for word in arguments if "=" not in word] or [*DOMAINS]
    zipped = {"path": str(Path(given.get("data", "data"), "buildings-64.zip"))}
    screens, model = [], load_model("cats_64")
    for domain in (DOMAINS[name] for name in names):
        more = zipped if domain == "image_zip" else {}
        sets = load_domain(domain, model, n_references=REFERENCES, n_held_out=HELD_OUT, **more)
        screens.append(Screen(model, *sets))
    heads = ["recipe", *names, "near-copies", "mixtures", "variants"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    collages: list[Influence] = []
    for recipe, make in (CHOICES if given.get("table") == "choices" else RECIPES).items():
        found = [screen.judged(as_stored(make(screen), torch.uint8)) for screen in screens]
        if not collages:
            collages = [fid for fid, _ in found]
            cells = [f"{fid.value:.0f}" for fid in collages]
        else:
            less = [fid.minus(own).interval() for (fid, _), own in zip(found, collages, strict=True)]
            cells = [plus_minus([each.value, each.low, each.high]) for each in less]
        worst = (f"{max(shares):.0%}" for shares in zip(*(shares for _, shares in found), strict=True))
        print(f"| {' | '.join([recipe, *cells, *worst])} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
