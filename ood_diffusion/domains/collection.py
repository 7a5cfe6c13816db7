"""A finite domain: named items, known by their content, in two splits."""

import logging
from collections.abc import Sequence
from typing import Generic

import torch
from torch import Tensor

from ood_diffusion.checks import Json, require
from ood_diffusion.domains.base import SPLITS, Domain, Split
from ood_diffusion.domains.item_generator import check_seed
from ood_diffusion.domains.preparation import Preparation
from ood_diffusion.domains.source import Content, Source
from ood_diffusion.domains.split_folders import given_splits
from ood_diffusion.domains.splits import halves, limited, seeded_order
from ood_diffusion.domains.walk import counted
from ood_diffusion.fingerprint import fingerprint

log = logging.getLogger(__name__)


class Collection(Domain, Generic[Content]):
    """The items of a source as pictures.

    Splits: folders `references/` (or `train/`) and `held_out/` (or `val/`, `test/`), all at one depth, are
    taken as they are; otherwise, or if the user selected one of them alone, the items are cut half and half.
    Items of equal content count once. Every item that is kept is read, checked and hashed on construction; it
    becomes a picture when it is rendered.

    Args:
        image_size: side of the pictures in pixels, or (H, W).
        source: of the items.
        preparation: what is done to each.
        seed: of the order, and so of the halves: a shuffle of the content hashes, which no name or
            listing order can change, so that the first n references are a random subset of the first
            n + 1. None: the natural order of the names.
        limit: at most this many items, chosen by their names before anything is read (a seeded subset;
            without a seed the first). Split folders keep their proportions. None: all.

    Raises:
        UserError: if a setting is out of range, there are fewer than two different items, one of them
            is refused by `source` or `preparation`, or the two given splits share one.
    """

    rectangular = True

    def __init__(
        self,
        image_size: int | Sequence[int],
        source: Source[Content],
        preparation: Preparation[Content],
        seed: int | None,
        limit: int | None,
    ) -> None:
        """Choose, check, hash and split the items."""
        super().__init__(image_size)
        if seed is not None:
            check_seed(seed)
        require(
            limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 2),
            "domain.limit must be null or an integer of at least 2",
            limit,
            "Set domain.limit to the number of images to use, or to null for all.",
        )
        self.source, self.preparation = source, preparation
        names = source.names()
        self._report_passed_over(len(names))
        given = given_splits(names, source.place, source.classes or ())
        self.halved = given is None
        groups = [list(names)] if given is None else [given[split] for split in SPLITS]
        chosen = [kept(group, len(names), seed, limit) for group in groups]
        unique = [self._hashed(group) for group in chosen]
        self._counts = {"files": len(names), "copies": sum(map(len, chosen)) - sum(map(len, unique))}
        if copies := self._counts["copies"]:
            log.info("%s contains duplicate files (%d); each counts once.", source.place, copies)
        self._name_of = {digest: name for group in unique for digest, name in group.items()}
        orders = [list(group) if seed is None else seeded_order(group, seed) for group in unique]
        if given is not None:
            self._refuse_shared(*unique)
        else:
            require(
                len(self._name_of) >= 2,
                "a domain needs at least 2 different images, one reference and one held out",
                f"{len(self._name_of)} in {source.place}",
                "Add images; duplicates count once.",
            )
            orders = list(halves(orders[0]))
        self._digests: dict[Split, list[str]] = dict(zip(SPLITS, orders, strict=True))

    @property
    def channels(self) -> int:  # type: ignore[override]
        """Those that the preparation makes."""
        return self.preparation.channels

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        """That of the preparation."""
        return self.preparation.dtype

    def size(self, split: Split) -> int:
        """The number of different items in `split`."""
        return len(self._digests[split])

    def key(self, split: Split, index: int) -> str:
        """Hash the item's content and what is done to it; names and paths do not enter."""
        self.check_item(split, index)
        height, width = self.sides
        size = height if height == width else [height, width]
        item: dict[str, object] = {"content": self._digests[split][index], "image_size": size}
        return fingerprint(item | self.preparation.recipe())

    def name(self, split: Split, index: int) -> str:
        """The item's name in its source, for messages and tables."""
        self.check_item(split, index)
        return self._name_of[self._digests[split][index]]

    def where(self, split: Split, index: int) -> str:
        """The item's place, as ``/data/cats/1.png``."""
        return self.source.where(self.name(split, index))

    def record(self) -> Json:
        """Path, counts (of files, copies among those kept, each split's pictures, what was passed over) and
        digest of the contents."""
        return {
            "path": self.source.place,
            "splits": "halves" if self.halved else "as their folders say",
            **self._counts,
            "pictures": {split: self.size(split) for split in SPLITS},
            "passed_over": dict(self.source.passed_over),
            "digest": fingerprint(sorted(self._name_of)),
        }

    def render(self, split: Split, index: int) -> Tensor:
        """Make one picture of `dtype` and `shape`.

        Raises:
            UserError: naming the item, if it is damaged or was changed since construction.
        """
        name, where = self.name(split, index), self.where(split, index)
        content = self.source.read(name)
        require(
            self.preparation.digest(content) == self._digests[split][index],
            "data must not change during a run",
            where,
            "Start the run again.",
        )
        return self.preparation.picture(content, where, self.sides)

    def _report_passed_over(self, read: int) -> None:
        """Log what is no item, as a warning where that is most of what lies there for people to see."""
        others = self.source.passed_over
        many = sum(count for found, count in others.items() if found.startswith(".")) > read
        if others:
            level = logging.WARNING if many else logging.INFO
            log.log(level, "Skipped in %s: %s. Read: %d.", self.source.place, counted(others), read)

    def _hashed(self, names: list[str]) -> dict[str, str]:
        """Content hash to the first name that has it: copies are dropped, the order stays."""
        first: dict[str, str] = {}
        for name in names:
            content = self.source.read(name)
            self.preparation.check(content, self.source.where(name))
            first.setdefault(self.preparation.digest(content), name)
        return first

    def _refuse_shared(self, references: dict[str, str], held_out: dict[str, str]) -> None:
        shared = [digest for digest in references if digest in held_out]
        more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
        require(
            not shared,
            "references and held_out must not share a picture",
            shared and f"the same content in {references[shared[0]]} and {held_out[shared[0]]}{more}",
            f"Remove one of each pair from {self.source.place}.",
        )


def kept(group: list[str], total: int, seed: int | None, limit: int | None) -> list[str]:
    """The names of one group that `limit` leaves, in natural order: its share of the limit, at least one."""
    return limited(group, seed, len(group) if limit is None else max(1, limit * len(group) // total))
