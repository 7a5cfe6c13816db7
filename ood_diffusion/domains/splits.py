"""Keep the judges apart from the judged: `references` and `held_out` never share a picture."""

import hashlib
from collections.abc import Iterable, Sequence

from ood_diffusion.checks import require


def check_disjoint(references_digests: Iterable[str], held_out_digests: Iterable[str]) -> None:
    """Refuse two splits that share a picture, by content.

    Args:
        references_digests: content hashes of the pictures given to the method.
        held_out_digests: content hashes of the pictures it is judged by.

    Raises:
        UserError: if any hash is in both; counts the shared pictures.
    """
    shared = set(references_digests) & set(held_out_digests)
    require(
        not shared,
        "references and held_out must not share a picture (that would reward copying)",
        f"{len(shared)} shared picture{'s' if len(shared) > 1 else ''}",
        "Remove the copies from one of the two splits.",
    )


def seeded_order(digests: Iterable[str], seed: int) -> list[str]:
    """Shuffle content hashes reproducibly: whatever the order they came in, the same order comes out.

    Any prefix is a uniform random subset, and a shorter prefix is contained in a longer one.
    """
    return sorted(digests, key=lambda digest: hashlib.sha256(f"{seed}/{digest}".encode()).digest())


def halves(ordered: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut in the middle; the first part has the extra item when the number is odd."""
    middle = (len(ordered) + 1) // 2
    return list(ordered[:middle]), list(ordered[middle:])
