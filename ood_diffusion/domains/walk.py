"""The files of a folder and its sub-folders."""

import os
from pathlib import Path, PurePosixPath

from ood_diffusion.domains.source import unreadable


def files_below(root: Path) -> list[str]:
    """Names relative to `root`, with forward slashes; links to folders are followed once.

    Raises:
        UserError: naming a folder that cannot be listed.
    """
    names: list[str] = []
    seen: set[str] = set()  # real paths: a link that leads back up ends here

    def stop(error: OSError) -> None:  # os.walk would pass over a closed folder in silence
        raise unreadable(str(error.filename), error) from error

    for folder, children, files in os.walk(root, onerror=stop, followlinks=True):
        children.sort()
        real = os.path.realpath(folder)
        if real in seen:
            children.clear()
            continue
        seen.add(real)
        names += [(Path(folder) / file).relative_to(root).as_posix() for file in files]
    return names


def has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    """Whether a file has one of these endings and is neither hidden nor one of macOS's `__MACOSX` twins."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not name.endswith("/") and not hidden and path.suffix.lower() in suffixes
