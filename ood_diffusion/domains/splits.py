"""Keep the judges apart from the judged: `references` and `held_out` never share a picture."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Sequence
from unicodedata import normalize

from ood_diffusion.checks import require
from ood_diffusion.natural_order import natural_order


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
    return sorted(digests, key=_rank(seed))


def limited(names: Sequence[str], seed: int | None, limit: int) -> list[str]:
    """At most `limit` of the names, in natural order: a seeded subset of them, or without a seed the first.

    A smaller limit keeps a part of what a larger one keeps.
    """
    rank = natural_order if seed is None else _rank(seed)
    return sorted(heapq.nsmallest(limit, names, key=rank), key=natural_order)


def halves(ordered: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut in the middle; the first part has the extra item when the number is odd."""
    middle = (len(ordered) + 1) // 2
    return list(ordered[:middle]), list(ordered[middle:])


def _rank(seed: int) -> Callable[[str], bytes]:
    # surrogatepass: a file name need not be valid UTF-8. NFC: macOS spells é with two characters
    return lambda text: hashlib.sha256(
        f"{seed}/{normalize('NFC', text)}".encode(errors="surrogatepass")
    ).digest()
