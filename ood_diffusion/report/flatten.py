"""Numbers named by their path."""

from collections.abc import Mapping
from typing import Any

from ood_diffusion.report.results import as_json


def flatten(results: Mapping[str, Any], prefix: str = "") -> dict[str, float | int | str]:
    """Name every number by its path ("metrics/sets/samples/fid"), entries of a list of sections by their
    place in it; missing values are left out.
    """
    flat: dict[str, float | int | str] = {}
    for key, value in as_json(dict(results)).items():
        if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            value = {str(i): entry for i, entry in enumerate(value)}
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}/")
        elif value is not None:
            flat[f"{prefix}{key}"] = value if isinstance(value, float | int | str) else str(value)
    return flat
