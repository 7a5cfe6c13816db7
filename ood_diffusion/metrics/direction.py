"""Which way is better, for every number that the metrics return."""

from collections.abc import Mapping
from typing import Literal

DIRECTIONS: Mapping[str, Literal["lower", "higher"]] = {
    "fid": "lower",
    "kid": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
}
