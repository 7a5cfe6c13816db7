"""Recognise the layout of a data set: folders for the two splits, or one heap."""

from collections.abc import Sequence

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Split

FOLDERS: dict[str, Split] = {
    "references": "references",
    "train": "references",
    "held_out": "held_out",
    "val": "held_out",
    "test": "held_out",
}
"""Name of a folder -> the split it holds; `train`, `val`, `test` are what published data sets use."""


def given_splits(names: Sequence[str], place: str) -> dict[Split, list[str]] | None:
    """Sort names by the split folder they lie in, or return None if there are no such folders.

    The folders lie at the top or under a single top folder (as in a .zip of a folder).

    Args:
        names: relative names with forward slashes; not empty.
        place: where they are, for the message.

    Raises:
        UserError: if only one of the two splits is there, or pictures lie beside them. Guessing here
            could hand held-out pictures to the method.
    """
    tops = {name: _top(name, 0) for name in names}
    if not any(top in FOLDERS for top in tops.values()) and len(set(tops.values())) == 1:
        tops = {name: _top(name, 1) for name in names}
    if not any(top in FOLDERS for top in tops.values()):
        return None
    found: dict[Split, list[str]] = {"references": [], "held_out": []}
    others: list[str] = []
    for name, top in tops.items():
        (found[FOLDERS[top]] if top in FOLDERS else others).append(name)
    counts: dict[str, object] = {split: len(found[split]) for split in found}
    counts["elsewhere"] = len(others)
    require(
        all(found.values()) and not others,
        "a data set with split folders must hold pictures in both references/ (or train/) and held_out/ (or "
        "val/ or test/), and nowhere else",
        counts | ({"for example": others[0]} if others else {}),
        f"Complete the folders in {place}, or rename them to have all pictures split half and half.",
    )
    return found


def _top(name: str, depth: int) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")][depth:]  # millions of names: no Path
    return parts[0] if len(parts) > 1 else ""
