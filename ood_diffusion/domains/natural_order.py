"""Names in the order a person counts in: img2 before img10."""

import re
from collections.abc import Iterable
from unicodedata import normalize

Key = tuple[list[str | tuple[int, str]], str]


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names, comparing the whole numbers inside them by value and all else by code point.

    Names that differ only in leading zeros follow plain order, so that the result never depends on the
    order they came in.
    """
    return sorted(names, key=natural_key)


def natural_key(name: str) -> Key:
    """What `natural_order` compares."""
    parts = re.split(
        r"([0-9]+)", normalize("NFC", name)
    )  # text and digits take turns, so like is compared with like
    digits = [part.lstrip("0") for part in parts[1::2]]
    key: list[str | tuple[int, str]] = list(parts)
    key[1::2] = [(len(d), d) for d in digits]  # without int(), which refuses more than 4,300 digits
    return key, name
