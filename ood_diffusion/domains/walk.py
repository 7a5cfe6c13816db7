"""The files of a folder and its sub-folders, and which of them are of the kinds that are read."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ood_diffusion.domains.source import shown, unreadable

SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN"})
"""Where macOS, network drives and Windows keep twins, thumbnails and what was deleted."""
COMPRESSIONS = frozenset({".gz", ".bz2", ".xz", ".zst"})


def files_below(root: Path) -> tuple[list[str], Counter[str]]:
    """Names relative to `root`, with forward slashes, and how many pipes and devices there are beside them:
    these could be read for ever. Links to folders are followed once; one that leads nowhere is a file, to be
    named when it is read.

    Raises:
        UserError: naming a folder that cannot be listed.
    """
    names: list[str] = []
    others: Counter[str] = Counter()
    seen: set[str] = set()  # real paths: a link that leads back up ends here
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(root / folder)
        if real in seen:
            continue
        seen.add(real)
        children = []
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}{entry.name}"
                    if entry.is_dir():
                        children.append(f"{name}/")
                    elif entry.is_file() or not os.path.exists(entry.path):
                        names.append(name)
                    else:
                        others["pipes and devices"] += 1
        except OSError as error:
            raise unreadable(shown(error.filename), error) from error
        waiting += sorted(children, reverse=True)
    return names, others


def kind(name: str) -> str:
    """The ending of a file's name in lower case (two where it is compressed), or why the system keeps it."""
    *folders, file = name.split("/")
    if not SYSTEM_FOLDERS.isdisjoint(folders) or file.lower() == "thumbs.db":
        return "thumbnails and other files of the system"
    if file.startswith(".") or any(folder.startswith(".") and folder != "." for folder in folders):
        return "hidden files"
    stem, ending = os.path.splitext(file.lower())
    return (
        os.path.splitext(stem)[1] + ending if ending in COMPRESSIONS else ending or "files without an ending"
    )


def of_kinds(names: Iterable[str], kinds: Collection[str]) -> tuple[list[str], Counter[str]]:
    """The files whose `kind` is one of `kinds`, and how many there are of each other kind."""
    kept: list[str] = []
    others: Counter[str] = Counter()
    for name in names:
        if (found := kind(name)) in kinds:
            kept.append(name)
        else:
            others[found] += 1
    return kept, others


def counted(others: Mapping[str, int]) -> str:
    """As "40 .heic, 2 hidden files"; the most frequent first."""
    return ", ".join(f"{count} {found}" for found, count in Counter(others).most_common())
