"""A data set of the Hugging Face hub, or a local folder or Parquet file of that kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ood_diffusion.checks import UserError, require
from ood_diffusion.domains.image_collection import ImageCollection
from ood_diffusion.domains.images.source import ImageSource, file_bytes
from ood_diffusion.domains.source import unreadable
from ood_diffusion.extras import import_extra


class HubSource(ImageSource):
    """The image column of one split, read with the library `datasets`, row by row from its cache on disk.

    Nothing is decoded by that library, and version 4 and later runs no code that comes with a data set.

    Args:
        name: id on the hub (``user/data_set``), a local folder, or a .parquet file.
        subset: for data sets that come in several; None takes the default one.
        split: as the data set calls it; ``datasets`` understands slices such as ``train[:1000]``.
        column: of the images.
        revision: branch, tag or commit on the hub; None is its main branch.

    Raises:
        UserError: if the data set cannot be had, or has no such split or column, or the column holds no
            images, or the package datasets is missing.
    """

    def __init__(self, name: str, subset: str | None, split: str, column: str, revision: str | None) -> None:
        self.name, self.split, self.column = str(name), split, column
        self.place = f"{name}[{split}]"
        require(isinstance(split, str), "domain.split must name one split", split, "Set domain.split=train.")
        rows = self._load(subset, revision)
        require(
            column in rows.column_names,
            f"domain.column must be a column of {self.place}",
            column,
            f"Its columns are: {', '.join(rows.column_names)}.",
        )
        library = import_extra("datasets", "hub")
        try:
            self.rows = rows.select_columns(column).cast_column(column, library.Image(decode=False))
        except (TypeError, ValueError, RuntimeError) as error:  # pyarrow's errors are of these kinds
            raise UserError(
                f"domain.column must hold images, but got {column!r} of {self.place}, which holds "
                f"{rows.features[column]}. The columns are: {', '.join(rows.column_names)}."
            ) from error

    def names(self) -> list[str]:
        """The numbers of the rows."""
        nothing = f"no row in {self.place}"
        require(len(self.rows) > 0, "a data set must hold images", nothing, "Choose another domain.split.")
        return [str(row) for row in range(len(self.rows))]

    def read(self, name: str) -> bytes:
        """The encoded image of one row."""
        image = self.rows[int(name)][self.column]
        if image is None:
            raise unreadable(self.where(name), "no image")
        if image["bytes"] is not None:
            return bytes(image["bytes"])
        return file_bytes(Path(image["path"] or ""))  # files of a local folder stay where they are

    def where(self, name: str) -> str:
        """As ``user/data_set[train] row 7``."""
        return f"{self.place} row {name}"

    def _load(self, subset: str | None, revision: str | None) -> Any:
        library = import_extra("datasets", "hub")
        local = Path(self.name).expanduser()
        try:
            if local.suffix == ".parquet":
                return library.load_dataset("parquet", data_files=str(local), split=self.split)
            if local.is_dir():
                return library.load_dataset(str(local), subset, split=self.split)
            return library.load_dataset(self.name, subset, split=self.split, revision=revision)
        except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
            elsewhere = (
                f" Without a network, download it where there is one (hf download {self.name} --repo-type "
                "dataset --local-dir FOLDER) and set domain.name=FOLDER."
            )
            raise UserError(
                "domain.name must be a data set of the Hugging Face hub that can be reached, a folder or a "
                f".parquet file, with the split {self.split!r}, but got {self.name!r} "
                f"({type(error).__name__}: {' '.join(str(error).split())}). Check name, subset and split."
                + ("" if local.exists() else elsewhere)
            ) from error


class HubDataset(ImageCollection):
    """One split of a data set with an image column; rows serve as names.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        name: id on the hub (``user/data_set``), a local folder, or a .parquet file.
        subset: for data sets that come in several; None takes the default one.
        split: as the data set calls it; halved into references and held-out images here.
        column: of the images.
        revision: branch, tag or commit on the hub; None is its main branch.
        seed: of order and halves; None keeps the order of rows.
        limit: at most this many images; None keeps all.
        crop: see `EncodedImages`.
        channels: see `EncodedImages`.

    Raises:
        UserError: if the data set cannot be had, has no such split or column, a row holds no image, the
            package datasets is missing, or for what `Collection` refuses.
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        name: str,
        subset: str | None = None,
        split: str = "train",
        column: str = "image",
        revision: str | None = None,
        seed: int | None = 0,
        limit: int | None = None,
        crop: float = 1.0,
        channels: str | Sequence[int] = "rgb",
    ) -> None:
        source = HubSource(name, subset, split, column, revision)
        super().__init__(image_size, source, seed, limit, crop, channels)
