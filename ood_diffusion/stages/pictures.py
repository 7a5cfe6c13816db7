"""A domain's own images -> the store of pictures."""

from collections.abc import Sequence

import torch

from ood_diffusion.domains.base import Domain, Split
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.storage.store import TensorStore

SHARD = 64
"""Pictures per file."""


def stored_split(domain: Domain, store: TensorStore, split: Split, n: int) -> dict[str, str]:
    """Render the first `n` images of a split that are not on disk yet.

    Returns:
        Content digest -> id in the store; images that are equal pixel by pixel fall together.
    """
    keys = [domain.key(split, i) for i in range(n)]
    if store.missing(keys):
        with store.exclusive(keys[0]):
            missing = set(store.missing(keys))
            _render(domain, store, split, [i for i, key in enumerate(keys) if key in missing], keys)
    return dict(zip(store.digests(keys), keys, strict=True))


def _render(
    domain: Domain, store: TensorStore, split: Split, indices: Sequence[int], keys: Sequence[str]
) -> None:
    with Meter(split.replace("_", " "), len(indices)) as meter:
        for start in range(0, len(indices), SHARD):
            part = indices[start : start + SHARD]
            images = []
            for i in part:
                images.append(domain.render(split, i))
                meter.advance()
            store.write([keys[i] for i in part], torch.stack(images))
