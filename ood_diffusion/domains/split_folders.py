"""Recognise the layout of a data set: folders for the two splits, or one heap."""

import re
from collections.abc import Collection, Sequence

from ood_diffusion.checks import require
from ood_diffusion.domains.base import Split

FOLDERS: dict[str, Split] = {
    "reference": "references",
    "references": "references",
    "train": "references",
    "training": "references",
    "heldout": "held_out",
    "val": "held_out",
    "valid": "held_out",
    "validation": "held_out",
    "test": "held_out",
    "testing": "held_out",
}
"""What published data sets call a folder, in any case and without what `split_of` leaves out -> its split."""


def given_splits(
    names: Sequence[str], place: str, classes: Collection[str] = ()
) -> dict[Split, list[str]] | None:
    """Sort names by the split folder they lie in, or return None if there are no such folders.

    The folders lie at the top, or all at one depth below other folders (as in a .zip of a folder, or a folder
    per class). A file of several items counts as a folder of them: ``train.npy[0]``.

    Args:
        names: relative names with forward slashes; not empty.
        place: where they are, for the message.
        classes: folders that the user selected by name. A split folder that is selected alone is a heap.

    Raises:
        UserError: if only one of the two splits is there, or pictures lie beside them. Guessing here
            could hand held-out pictures to the method.
    """
    split_of_folder: dict[str, Split | None] = {}  # millions of names lie in few folders
    layouts = []
    for name in names:
        folders = _folders(name)
        for folder in folders:
            if folder not in split_of_folder:
                split_of_folder[folder] = split_of(folder)
        layouts.append([split_of_folder[folder] for folder in folders])
    depths = [depth for splits in layouts for depth, split in enumerate(splits) if split]
    if not depths:
        return None
    depth = min(depths)
    found: dict[Split, list[str]] = {"references": [], "held_out": []}
    others: list[str] = []
    for name, splits in zip(names, layouts, strict=True):
        split = splits[depth] if depth < len(splits) else None
        (found[split] if split else others).append(name)
    if not all(found.values()) and all(_folders(name)[depth] in classes for name in names):
        return None
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


def split_of(folder: str) -> Split | None:
    """The split that a folder's name means, if any: `FOLDERS` also knows ``Train``, ``held-out``,
    ``test_set`` and ``val2017``."""
    plain = re.sub(r"[\W_\d]+", "", folder.lower())
    return FOLDERS.get(re.sub("(set|data|images)$", "", plain))


def _folders(name: str) -> list[str]:
    *folders, file = [part for part in name.split("/") if part not in ("", ".")]
    return [*folders, file.partition(".")[0]] if file.endswith("]") else folders
