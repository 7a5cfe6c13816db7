"""Numbers named by their path."""

from collections.abc import Iterator, Mapping
from typing import Any

from ood_diffusion.report.results import as_json


def flatten(results: Mapping[str, Any]) -> dict[str, float | int | str]:
    """Name every number by its path ("metrics/sets/samples/fid"), entries of a list of sections by their
    place in it; missing values are left out.
    """
    return dict(_named(as_json(results), ""))


def _named(found: Any, path: str) -> Iterator[tuple[str, float | int | str]]:
    if isinstance(found, list) and found and all(isinstance(entry, dict) for entry in found):
        found = {str(i): entry for i, entry in enumerate(found)}
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _named(value, f"{path}/{key}" if path else str(key))
    elif found is not None:
        yield path, found if isinstance(found, float | int | str) else str(found)
