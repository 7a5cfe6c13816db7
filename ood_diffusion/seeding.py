"""Randomness: one generator per item, so that no result depends on batches, ranks or resumption."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def generator(seed: int, *item: str | int) -> Generator:
    """A CPU generator determined by `seed` and the item's name alone.

    The name's parts are kept apart ("a", "bc" differs from "ab", "c"). Drawing happens on the CPU
    and is moved afterwards, so every device sees the same numbers.

    Examples:
        >>> torch.equal(normal([generator(0, "a")], (3,)), normal([generator(0, "a")], (3,)))
        True
        >>> torch.equal(normal([generator(0, "a")], (3,)), normal([generator(0, "b")], (3,)))
        False
    """
    text = "\x1f".join([str(seed), *map(str, item)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return Generator().manual_seed(key & (2**63 - 1))


def normal(generators: Sequence[Generator], shape: Sequence[int]) -> Tensor:
    """Standard normal float32 ``[len(generators), *shape]``, row i drawn from generator i."""
    return torch.stack([torch.randn(*shape, generator=g) for g in generators])
