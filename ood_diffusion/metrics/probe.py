"""Which of two domains does an image belong to? A linear probe on the extractor's features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ood_diffusion.checks import require

FOLDS = 5
STRENGTHS = tuple(np.logspace(-4, 0, 5).tolist())
"""Inverse strengths of the L2 penalty to choose from. With n << d every one separates the training rows, so
the choice is by log-likelihood of rows left out, not by accuracy."""


@dataclass(frozen=True)
class Probe:
    """A fitted probe. It judges neither what it was fitted on nor images that are made of that.

    With n << d the fitted rows lie far out on their own side, and so do mixtures of them: these score more
    "unseen" than any fresh image of the unseen domain. A probe for samples is therefore not fitted on the
    references that they are drawn from.

    Args:
        pipeline: standardises features, then weighs them.
        strength: the inverse strength of the penalty that cross-validation chose.
    """

    pipeline: Any
    strength: float

    def scores(self, features: Tensor) -> NDArray[np.float64]:
        """Log-odds of the training domain, features ``[m, d]`` -> ``[m]``; above 0 it is the likelier one."""
        found: NDArray[np.float64] = self.pipeline.decision_function(features.double().cpu().numpy())
        return found


def fit_probe(training: Tensor, unseen: Tensor, seed: int) -> Probe:
    """L2 logistic regression on standardised features, both domains weighing alike whatever their numbers.

    Args:
        training: features of the training domain ``[n, d]``, at least `FOLDS` rows.
        unseen: features of the unseen domain ``[m, d]``, at least `FOLDS` rows.
        seed: of the folds.

    Raises:
        UserError: if a domain has fewer rows, or d differs.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fewest = min(len(training), len(unseen))
    require(
        fewest >= FOLDS and training.shape[1] == unseen.shape[1],
        f"the domain probe needs at least {FOLDS} images of each domain, with features of one extractor",
        (list(training.shape), list(unseen.shape)),
        "Raise n_training and n_held_out.",
    )
    rows = np.concatenate([part.double().cpu().numpy() for part in (training, unseen)])
    labels = np.repeat([1, 0], [len(training), len(unseen)])
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)),
        {"logisticregression__C": STRENGTHS},
        scoring="neg_log_loss",
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
    ).fit(rows, labels)
    return Probe(search.best_estimator_, float(search.best_params_["logisticregression__C"]))


def area_under_curve(training: NDArray[np.float64], unseen: NDArray[np.float64]) -> float:
    """Probability that an image of the training domain scores above one of the unseen; ties count half.

    Args:
        training: scores ``[n]`` of images of the training domain, none of them fitted on.
        unseen: scores ``[m]`` of such images of the unseen domain.
    """
    from sklearn.metrics import roc_auc_score

    labels = np.repeat([1, 0], [len(training), len(unseen)])
    return float(roc_auc_score(labels, np.concatenate([training, unseen])))
