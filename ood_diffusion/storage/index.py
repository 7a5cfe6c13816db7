"""What the headers of a store's shards say, in one file beside them: to open a store takes only the new ones.

It is a cache: an entry counts only while the shard's time, size and inode are those that it was made from,
and what it lacks is read from the shards. So it may be lost, damaged, old, or written by several processes
at once (the last one's stays, whole): nothing but time depends on it. A database of SQLite could grow where
this file is written anew, but is only as safe as the locks of the file system, which do not always work on
network ones.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ood_diffusion.storage.atomic import atomic_write
from ood_diffusion.storage.shard import Header, Version

NAME = "index"
FEWEST, SHARE = 64, 16
"""It is written anew when at least so many shards, and one of so many, have come or gone since."""
Known = dict[str, tuple[Version, Header]]
"""Name of a shard -> its version and header."""


def read_index(folder: Path) -> Known:
    """The index of the store in `folder`; empty if there is none, or it is damaged."""
    with suppress(OSError, ValueError, TypeError):
        checksum, _, text = (folder / NAME).read_bytes().partition(b"\n")
        if checksum.decode() == hashlib.sha256(text).hexdigest():
            found: dict[str, tuple[list[int], list[str], str]] = json.loads(text)
            return {
                name: (Version(*version), Header(ids, digests))
                for name, (version, ids, digests) in found.items()
            }
    return {}


def write_index(folder: Path, known: Mapping[str, tuple[Version, Header]]) -> None:
    """Replace the index, if the disk has room for it."""
    found = {name: (version, header.ids, header.digests) for name, (version, header) in known.items()}
    text = json.dumps(found, separators=(",", ":")).encode()
    with suppress(OSError):
        atomic_write(folder / NAME, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def outdated(changes: int, known: int) -> bool:
    """Whether an index in which so many shards are wrong or missing is to be written anew, of `known`."""
    return changes >= max(FEWEST, known // SHARE)
