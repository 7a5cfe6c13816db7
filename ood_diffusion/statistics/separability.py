"""Can a linear classifier tell two sets of points apart? Cross-validated, with a permutation null.

In d > n dimensions a classifier separates any two sets it was trained on, pure noise included; only points
that it has not seen count.
"""

import numpy as np
import torch
from torch import Tensor

from ood_diffusion.checks import require
from ood_diffusion.geometry.gram import gram, squared_norms
from ood_diffusion.statistics.estimate import Array, NullTest, null_test
from ood_diffusion.statistics.field_spectrum import field_powers, lag_1, radial_power
from ood_diffusion.statistics.randomness import numpy_generator

BINS = 6


def separability(a: Tensor, b: Tensor, seed: int, folds: int = 5, permutations: int = 200) -> NullTest:
    r"""Cross-validated AUC of ridge regression on the labels, which needs the Gram matrix alone.

    In each fold, with K the Gram matrix centred by the training points, held-out points score
    :math:`K_{*}(K + \lambda I)^{-1} y` with :math:`\lambda = \mathrm{tr}K / n_{train}`. Neither folds nor
    ridge look at the labels beyond their counts, so that one solution per fold serves every permutation. The
    AUC is the mean of the folds'. Labels are permuted within folds: every fold keeps its counts, and given
    the folds all such orders are equally likely if there is nothing to find, so the p-value is exact.

    It sees a difference of means. Sets that differ in colour or scale alone need `trivial_separability`.

    Args:
        a: points ``[n, …]``.
        b: points ``[m, …]``, which score high. The points of both must be independent: draws made from `a`
            are not, nor are several latents of one image.
        seed: of folds and permutations.
        folds: at least 2, at most the smaller number of points.
        permutations: of the labels; the smallest possible p-value is 1 / (permutations + 1).

    Returns:
        AUC, 0.5 by chance, with a one-sided p-value: only large AUCs speak for separability.

    Raises:
        UserError: if the points differ in shape, or either set has fewer points than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    require(
        a.shape[1:] == b.shape[1:],
        "points must agree in shape",
        (list(a.shape), list(b.shape)),
        "Use one model.",
    )
    fewest = min(len(a), len(b))
    require(
        2 <= folds <= fewest,
        "folds must lie between 2 and the smaller set's size",
        (folds, fewest),
        "Set fewer.",
    )
    points = torch.cat([a.flatten(1), b.flatten(1)])
    inner = gram(points, points).numpy()
    rng = numpy_generator(seed, "separability")
    labels = np.repeat([0, 1], [len(a), len(b)])
    splits = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31))).split(labels, labels)
    parts = [test for _, test in splits]

    permuted = np.tile(labels, (permutations + 1, 1))  # row 0 stays as it is
    for part in parts:
        permuted[1:, part] = rng.permuted(permuted[1:, part], axis=1)
    areas = np.mean([_fold_areas(inner, permuted.T, part) for part in parts], axis=0)
    return null_test(areas[0], areas[1:], len(points), one_sided=True)


def trivial_separability(
    a: Tensor, b: Tensor, seed: int, folds: int = 5, permutations: int = 200
) -> NullTest:
    """`separability` on `trivial_features` alone, each brought to mean 0 and sd 1 over both sets together.

    Where this AUC is as large as that of the latents, a classifier of latents has found nothing deeper.

    Args:
        a: latents ``[n, C, H, W]``.
        b: latents ``[m, C, H, W]``.
        seed: as `separability`, like `folds` and `permutations`.
        folds: see there.
        permutations: see there.
    """
    features = torch.cat([trivial_features(a), trivial_features(b)])
    spread = features.std(dim=0)
    standard = (features - features.mean(dim=0)) / torch.where(spread > 0, spread, torch.ones_like(spread))
    return separability(standard[: len(a)], standard[len(a) :], seed, folds, permutations)


def score_separability(a: Array, b: Array, seed: int, permutations: int = 200) -> NullTest:
    """AUC of a score that was not fitted to these labels, with the null of `separability`.

    Args:
        a: scores ``[n]``.
        b: scores ``[m]``, which should be high.
        seed: of the permutations.
        permutations: of the labels.
    """
    rng, n = numpy_generator(seed, "score separability"), len(a) + len(b)
    permuted = np.tile(np.repeat([0, 1], [len(a), len(b)]), (permutations + 1, 1))  # row 0 stays as it is
    permuted[1:] = rng.permuted(permuted[1:], axis=1)
    areas = _areas(np.concatenate([a, b])[:, None], permuted.T)
    return null_test(areas[0], areas[1:], n, one_sided=True)


def trivial_features(latents: Tensor) -> Tensor:
    """What two sets of fields may differ in without differing in content.

    Args:
        latents: ``[n, C, H, W]``, sides of 4 or more.

    Returns:
        float64 ``[n, k]``, k = 2 C + 8 (fewer where fields are too small for 6 radial bins): norm, channel
        means, channel sds, log radial power in 6 log-spaced bins, lag-1 autocorrelation.
    """
    width = latents.shape[3]
    power = field_powers(latents).numpy()
    spectral = np.column_stack([np.log(radial_power(power, width, BINS)), lag_1(power, width)])
    pixels = latents.flatten(2).double()
    norm = squared_norms(latents).sqrt()[:, None]
    return torch.cat([norm, pixels.mean(dim=2), pixels.std(dim=2), torch.from_numpy(spectral)], dim=1)


def held_out_scores(inner: Array, targets: Array, test: Array) -> Array:
    """Ridge regression's scores ``[len(test), p]`` of the points `test`, trained on all others.

    Args:
        inner: Gram matrix ``[n, n]``.
        targets: labels ``[n, p]``, one problem per column.
        test: indices of the points left out.
    """
    train = np.setdiff1d(np.arange(len(inner)), test)
    mean = inner[:, train].mean(axis=1)
    centred = inner - mean[:, None] - mean + mean[train].mean()
    kernel = centred[np.ix_(train, train)]
    ridge = max(np.trace(kernel) / len(train), np.finfo(float).tiny)
    own = targets[train] - targets[train].mean(axis=0)
    weights = np.linalg.solve(kernel + ridge * np.eye(len(train)), own)
    scores: Array = centred[np.ix_(test, train)] @ weights
    return scores


def _fold_areas(inner: Array, labels: Array, test: Array) -> Array:
    """`_areas` of held-out scores, each trained on its own column of `labels` ``[n, p]``."""
    return _areas(held_out_scores(inner, labels, test), labels[test])


def _areas(scores: Array, labels: Array) -> Array:
    """Area under the curve per column of `labels` ``[n, p]``, by the Mann–Whitney statistic.

    Args:
        scores: ``[n, p]``, or ``[n, 1]`` if they are the same for all columns.
        labels: 1 for those that should score high, 0 for the others.
    """
    from scipy.stats import rankdata

    ranks, positive = rankdata(scores, axis=0), labels.sum(axis=0)
    negative = len(labels) - positive
    areas: Array = ((ranks * labels).sum(axis=0) - positive * (positive + 1) / 2) / (positive * negative)
    return areas
