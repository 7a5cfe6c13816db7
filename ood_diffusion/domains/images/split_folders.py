"""Recognise the layout of a data set: folders `references` (or `train`) and `held_out`, or one heap."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Split

FOLDERS: dict[str, Split] = {"references": "references", "train": "references", "held_out": "held_out"}
"""Name of a folder -> the split it holds; `train` is what data sets for training call it."""


def given_splits(names: Sequence[str], path: str) -> dict[Split, list[str]] | None:
    """Sort file names by the split folder they lie in, or return None if there are no such folders.

    The folders lie at the top or under a single top folder (as in a .zip of a folder).

    Args:
        names: relative names with forward slashes; not empty.
        path: where they are, for the message.

    Raises:
        UserError: if only one of the two folders is there, or images lie beside them. Guessing here
            could hand held-out pictures to the method.
    """
    tails = {name: PurePosixPath(name).parts for name in names}
    if not any(_folder(parts) in FOLDERS for parts in tails.values()):
        if len({_folder(parts) for parts in tails.values()}) == 1:
            tails = {name: parts[1:] for name, parts in tails.items()}
        if not any(_folder(parts) in FOLDERS for parts in tails.values()):
            return None
    found: dict[Split, list[str]] = {split: [] for split in FOLDERS.values()}
    for name in names:
        if (folder := _folder(tails[name])) in FOLDERS:
            found[FOLDERS[folder]].append(name)
    others = [name for name in names if _folder(tails[name]) not in FOLDERS]
    counts: dict[str, object] = {split: len(found[split]) for split in found}
    counts["elsewhere"] = len(others)
    require(
        all(found.values()) and not others,
        "a data set with split folders must hold images in both references/ (or train/) and held_out/, "
        "and nowhere else",
        counts | ({"for example": others[0]} if others else {}),
        f"Complete the two folders in {path}, or rename them to have all images split half and half.",
    )
    return found


def _folder(parts: tuple[str, ...]) -> str:
    return parts[0] if len(parts) > 1 else ""
