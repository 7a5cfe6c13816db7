"""An LMDB database of image files, as LSUN is published (Yu et al. 2015)."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ood_diffusion.checks import require
from ood_diffusion.domains.image_collection import ImageCollection
from ood_diffusion.domains.images.source import ImageSource
from ood_diffusion.domains.source import existing, shown, unreadable
from ood_diffusion.extras import import_extra

BOOKKEEPING = re.compile(r"__\w+__|len|length|num[-_]samples|keys|meta|metadata|meta_info|info")
"""Keys under which writers of such databases keep counts and lists beside the images."""

_LOCK = Lock()
"""LMDB allows a database to be open once in a process."""


class LmdbSource(ImageSource):
    """The values of an LMDB database, named by their keys; read only, without writing a lock file.

    The database is opened for each read (30 microseconds), so that nothing is open when a process forks.

    Args:
        path: the folder that holds ``data.mdb``; ``~`` is the home folder.

    Raises:
        UserError: if `path` is missing, no LMDB folder or a truncated one, or the package lmdb is missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing(path)
        self.place = shown(self.path)
        require(
            (self.path / "data.mdb").is_file(),
            "domain.path must be an LMDB folder, with a file data.mdb",
            self.place,
            "Give the unpacked folder, such as church_outdoor_train_lmdb. Image files: domain=image_folder.",
        )
        with self._opened(self.place) as database:
            whole = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
        size = (self.path / "data.mdb").stat().st_size
        require(  # reading beyond the end would kill the process
            size >= whole,
            "an LMDB database must be complete",
            f"{size} of {whole} bytes in {self.path / 'data.mdb'}",
            "Download it again; if it is complete, rewrite it with mdb_copy -c.",
        )

    def names(self) -> list[str]:
        """The keys of images, as Latin-1 text (which has a letter for each byte)."""
        with self._opened(self.place) as database, database.begin() as transaction:
            keys = transaction.cursor().iternext(keys=True, values=False)
            found = [key.decode("latin-1") for key in keys]
        names = [name for name in found if not BOOKKEEPING.fullmatch(name)]
        self.passed_over = Counter({"bookkeeping keys": len(found) - len(names)} if found != names else {})
        nothing = f"no entry in {self.place}"
        require(bool(names), "an LMDB database must hold images", nothing, "Fetch it again.")
        return names

    def read(self, name: str) -> bytes:
        """The value of one key."""
        with self._opened(self.where(name)) as database, database.begin() as transaction:
            value = transaction.get(name.encode("latin-1"))
        if value is None:
            raise unreadable(self.where(name), "no such key any more")
        return bytes(value)

    def where(self, name: str) -> str:
        """As ``church_outdoor_train_lmdb/<key>``."""
        return f"{self.place}/{name}"

    @contextmanager
    def _opened(self, where: str) -> Iterator[Any]:
        lmdb = import_extra("lmdb", "lmdb")
        try:
            with _LOCK, lmdb.open(str(self.path), readonly=True, lock=False, readahead=False) as database:
                yield database
        except lmdb.Error as error:
            raise unreadable(where, error) from error


class LmdbImages(ImageCollection):
    """The values of an LMDB database, each an encoded image; keys serve as names.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        path: the folder that holds ``data.mdb``; ``~`` is the home folder.
        seed: of order and halves; None keeps the natural order of keys.
        limit: at most this many images; None keeps all.
        crop: see `EncodedImages`.
        channels: see `EncodedImages`.

    Raises:
        UserError: if `path` is missing or no LMDB folder, a value is no image, the package lmdb is
            missing, or for what `Collection` refuses.
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        path: str | Path,
        seed: int | None = 0,
        limit: int | None = None,
        crop: float = 1.0,
        channels: str | Sequence[int] = "rgb",
    ) -> None:
        super().__init__(image_size, LmdbSource(path), seed, limit, crop, channels)
