"""Names in the order a person counts in: img2 before img10.

Not natsort's: that decomposes accents and reads all scripts' digits, so it would change which images of
existing folders are references.
"""

import re
from unicodedata import normalize

Key = tuple[list[str | tuple[int, str]], str]


def natural_order(name: str) -> Key:
    """A key for `sorted`: the whole numbers inside names compare by value, all else by code point.

    Names that differ only in leading zeros follow plain order, so that the result never depends on the
    order they came in.
    """
    parts: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", normalize("NFC", name)))
    digits = [str(part).lstrip("0") for part in parts[1::2]]
    parts[1::2] = [(len(d), d) for d in digits]  # without int(), which refuses more than 4,300 digits
    return parts, name
