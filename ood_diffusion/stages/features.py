"""Features of stored images, each computed once by the run's extractor and kept in the store."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ood_diffusion.fingerprint import architecture, weights_digest
from ood_diffusion.lightning.features import FeaturePass
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.models.base import tensors_of
from ood_diffusion.runs.run import Run
from ood_diffusion.source import Recipe, identity, is_foreign, network_identity
from ood_diffusion.storage.store import TensorStore

FEATURE_BATCH = 64
"""Images per call of the extractor, whatever the diffusion model's batch size."""


def features_of(run: Run, source: TensorStore, ids: Mapping[str, str]) -> Tensor:
    """Features ``[n, d]`` of images given as content digest -> id in `source`; each is computed once."""
    store = run.workspace.stores.open(
        "features", {**feature_recipe(run.extractor), **run.view_recipe}, torch.float32
    )
    run.predict(store, source, ids, FeaturePass(run.extractor, run.view), "features", FEATURE_BATCH)
    return store.read(list(ids))


def feature_recipe(extractor: FeatureExtractor) -> Recipe:
    """Everything that determines the features of an image; of a user's extractor also its attributes."""
    code = [identity(extractor), *network_identity(extractor)]
    recipe = {"extractor": extractor.name, "weights": extractor.digest, "code": code}
    if not is_foreign(type(extractor)):
        return recipe
    tensors = weights_digest(tensors_of(extractor))
    return {**recipe, "tensors": tensors, "attributes": architecture(extractor)}


def features_in_order(run: Run, source: TensorStore, ids: Sequence[str]) -> Tensor:
    """Features ``[len(ids), d]`` of images in `source`; images that are equal have equal rows."""
    digests = source.digests(ids)
    unique = dict(zip(digests, ids, strict=True))
    rows = dict(zip(unique, features_of(run, source, unique), strict=True))
    return torch.stack([rows[digest] for digest in digests])
