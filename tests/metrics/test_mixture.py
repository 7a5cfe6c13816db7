"""Averages of two references and variants of one are found, fresh images are not."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.mixture import (
    FeatureMixture,
    PixelMixture,
    explained,
    gain,
    mixtures_and_variants,
)
from tests.statistics.rates import plausible


def cloud(n: int, seed: int, d: int = 40) -> Tensor:
    """Points of few effective dimensions, as images are."""
    scale = torch.linspace(3, 0.1, d)
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + 5


def mixture_gain(images: Tensor, references: Tensor, nearest: int) -> Tensor:
    return gain(*explained(images, references, nearest))


def mixture_share(*given) -> Tensor:
    return mixtures_and_variants(*given)[0]


def averages(references: Tensor, n: int, keep: bool) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    mean, made = references.mean(dim=0), []
    for _ in range(n):
        i, j = torch.randperm(len(references), generator=generator)[:2]
        w = 0.3 + 0.4 * torch.rand((), generator=generator)
        root = (w**2 + (1 - w) ** 2).sqrt() if keep else torch.ones(())
        made.append(mean + (w * (references[i] - mean) + (1 - w) * (references[j] - mean)) / root)
    return torch.stack(made)


def test_agrees_with_least_squares_over_all_pairs():
    from scipy.optimize import nnls

    references, images = cloud(7, 0).double(), cloud(3, 1).double()
    one, two = explained(images, references, 7)
    r, x = (references - references.mean(0)).numpy(), (images - references.mean(0)).numpy()
    for image, first, second in zip(x, one, two, strict=True):
        left = min(
            nnls(np.stack([r[i], r[j]], axis=1), image)[1] ** 2 for i in range(7) for j in range(7) if i != j
        )
        alone = min(nnls(r[i][:, None], image)[1] ** 2 for i in range(7))
        energy = (image**2).sum()
        assert float(second) == pytest.approx(1 - left / energy, abs=1e-9)
        assert float(first) == pytest.approx(1 - alone / energy, abs=1e-9)


@pytest.mark.parametrize("keep", [False, True])
def test_averages_are_explained_whole(keep):
    references = cloud(30, 0)
    made = averages(references, 40, keep)
    assert mixture_gain(made, references, 30).min() > 1 - 1e-6
    assert mixture_share(made, cloud(200, 2), references, 30) == 1


def test_noisy_averages_are_still_found():
    references = cloud(30, 0)
    made = averages(references, 60, keep=True)
    noisy = made + 0.3 * torch.randn(made.shape, generator=torch.Generator().manual_seed(1))
    assert mixture_share(noisy, cloud(200, 2), references, 30) > 0.9


def test_copies_are_no_mixtures():
    references = cloud(30, 0)
    assert mixture_gain(references, references, 30).max() == 0
    noisy = references + 0.05 * torch.randn(references.shape, generator=torch.Generator().manual_seed(1))
    assert mixture_share(noisy, cloud(200, 2), references, 30) <= 0.05
    twice = torch.cat([references, references])
    assert mixture_gain(twice, twice, 60).max() == 0


def test_five_per_cent_of_fresh_images_are_called_mixtures_and_variants():
    references = cloud(30, 0)
    found = [mixtures_and_variants(cloud(100, s), cloud(999, s + 500), references, 30) for s in range(1, 21)]
    for shares in zip(*found, strict=True):
        assert plausible(sum(round(100 * float(share)) for share in shares), 2000, 0.04, 0.06)


def test_a_reference_under_noise_is_a_variant():
    """Less of it than of its parent: a kernel density estimate draws such images."""
    references, held_out = cloud(30, 0), cloud(200, 2)
    mean = references.mean(dim=0)
    noise = torch.randn(30, 40, generator=torch.Generator().manual_seed(3)) * torch.linspace(3, 0.1, 40)
    for share, least, most in ((0.8, 0.9, 1.0), (0.0, 0.0, 0.2)):
        made = mean + share**0.5 * (references - mean) + (1 - share) ** 0.5 * noise
        assert least <= mixtures_and_variants(made, held_out, references, 30)[1] <= most


def test_few_nearest_references_suffice():
    """The parents of an average are among those it is most like."""
    references = cloud(60, 0)
    made = averages(references, 40, keep=True)
    gain = mixture_gain(made, references, 16)
    assert (gain > 1 - 1e-6).double().mean() > 0.9
    assert (gain <= mixture_gain(made, references, 60) + 1e-9).all()


def test_scale_and_place_do_not_matter():
    references, images = cloud(20, 0), cloud(9, 1)
    moved = mixture_gain(3 * images - 8, 3 * references - 8, 20)
    assert torch.allclose(moved, mixture_gain(images, references, 20), atol=1e-5)


def test_in_pixels_and_in_features():
    generator = torch.Generator().manual_seed(0)
    real = torch.randint(0, 256, (90, 3, 8, 8), generator=generator, dtype=torch.uint8)
    real = real.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    references, held_out = real[:20], real[20:]
    made = ((references[:10].int() + references[10:].int()) // 2).to(torch.uint8)
    pixels, features = PixelMixture(8, 20), FeatureMixture(20)
    for metric, form in ((pixels, lambda x: x), (features, lambda x: x.flatten(1).float())):
        metric.bind(form(references))
        metric.update(form(held_out), real=True)
        metric.update(form(made), real=False)
        assert metric.takes == ("images" if metric is pixels else "features")
        assert float(metric.compute()[metric.names[0]]) == 1.0
        metric.reset()
        metric.update(form(held_out), real=True)
        metric.update(form(references), real=False)
        assert [float(each) for each in metric.compute().values()] == [0.0, 1.0]


def test_too_few():
    metric = FeatureMixture()
    metric.update(cloud(30, 0), real=True)
    metric.update(cloud(3, 1), real=False)
    with pytest.raises(UserError, match="a test for mixtures needs at least 2 references, but got 0"):
        metric.compute()
    with pytest.raises(UserError, match="at least 20 real images, but got 19"):
        mixture_share(cloud(3, 0), cloud(19, 1), cloud(5, 2), 5)
