"""Which images a run uses: the domains' own, rendered into the store of pictures."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import torch

from ood_diffusion.checks import require
from ood_diffusion.domains.base import SPLITS, Domain, Split
from ood_diffusion.domains.drawing import block_of
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.pixels import to_unit_range
from ood_diffusion.storage.store import TensorStore

log = logging.getLogger(__name__)

SHARD = 64
"""Pictures per file."""

MOST_SEARCHED = 100_000
"""Pictures of an unlimited domain among which one is looked for that a message names."""


@dataclass(frozen=True)
class Images:
    """The images of both domains, each split found once: content digest -> id in the store of pictures.

    Args:
        domain: the unseen one.
        training_domain: images of the domain that the model was trained on, or what stands for them.
        counts: n_references, n_held_out and n_training: images wanted, at most.
        pictures: the store.
        ranks: who draws, where a network draws a domain.
    """

    domain: Domain
    training_domain: Domain
    counts: tuple[int, int, int]
    pictures: TensorStore
    ranks: Ranks

    @cached_property
    def references(self) -> dict[str, str]:
        """Images of the unseen domain that are inverted and learned from."""
        return stored_split(self.domain, self.pictures, "references", self.counts[0], self.ranks)

    @cached_property
    def held_out(self) -> dict[str, str]:
        """Images of the unseen domain used only for evaluation; disjoint from the references."""
        held_out = self._at_most(self.domain, "held_out", self.counts[1])
        return without_shared(self.domain, self.references, held_out)

    @cached_property
    def training_references(self) -> dict[str, str]:
        """Images of the training domain."""
        return self._of_training("references")

    @cached_property
    def training_held_out(self) -> dict[str, str]:
        """Others of the training domain; disjoint from `training_references`."""
        held_out = self._of_training("held_out")
        return without_shared(self.training_domain, self.training_references, held_out)

    def found(self) -> dict[str, dict[Split, dict[str, str]]]:
        """ "domain" and "training_domain" -> the splits that have been looked for so far."""
        return {
            name: {split: vars(self)[prefix + split] for split in SPLITS if prefix + split in vars(self)}
            for name, prefix in (("domain", ""), ("training_domain", "training_"))
        }

    def forget(self) -> None:
        """Look for the pictures again, after the store was damaged."""
        for name in ("references", "held_out", "training_references", "training_held_out"):
            vars(self).pop(name, None)

    def _at_most(self, domain: Domain, split: Split, wanted: int) -> dict[str, str]:
        return stored_split(domain, self.pictures, split, at_most(domain, split, wanted), self.ranks)

    def _of_training(self, split: Split) -> dict[str, str]:
        images = self._at_most(self.training_domain, split, self.counts[2])
        unseen: dict[Split, dict[str, str]] = {"references": self.references, "held_out": self.held_out}
        check_apart(self.training_domain, {split: images}, self.domain, unseen)
        return images


def stored_split(domain: Domain, store: TensorStore, split: Split, n: int, ranks: Ranks) -> dict[str, str]:
    """Render the first `n` images of a split that are not on disk yet; a network draws where `ranks` compute.

    Returns:
        Content digest -> id in the store; images that are equal pixel by pixel fall together.
    """
    keys = [domain.address(split, i) for i in range(n)]

    def make(_: list[str]) -> None:
        wanted = drawn_for(domain, store, split, n)
        missing = set(store.missing(list(wanted.values())))
        _render(domain, store, split, {i: key for i, key in wanted.items() if key in missing}, ranks)

    store.fill(keys, make, first=keys[0] if keys else "")
    found = dict(zip(store.digests(keys), keys, strict=True))
    if len(found) < n:
        log.info("%d of %d %s are pixel-identical to others and count once.", n - len(found), n, split)
    return found


def drawn_for(domain: Domain, store: TensorStore, split: Split, n: int) -> dict[int, str]:
    """Number and id of what is drawn for those of the first `n` images of a split that are not on disk.

    What passes a network together is drawn, and kept, together: some of it may lie beyond `n`.
    """
    keys = {domain.address(split, i): i for i in range(n)}
    wanted = [keys[key] for key in store.missing(list(keys))]
    if domain.drawing:
        wanted = sorted({i for number in wanted for i in block_of(number)})
    return {i: domain.address(split, i) for i in wanted}


def first(images: Mapping[str, str], n: int) -> dict[str, str]:
    """The first `n` of content digest -> picture id, or all if there are fewer."""
    return dict(islice(images.items(), n))


def at_most(domain: Domain, split: Split, wanted: int) -> int:
    """How many images of a split a run uses, if it wants so many."""
    available = domain.size(split)
    return wanted if available is None else min(wanted, available)


def without_shared(
    domain: Domain, references: Mapping[str, str], held_out: Mapping[str, str]
) -> dict[str, str]:
    """The held-out images that are no reference pixel by pixel, where their files may differ.

    Args:
        domain: whose images they are.
        references: content digest -> picture id.
        held_out: the same.

    Raises:
        UserError: if there are such images in splits that were declared, naming both, or nothing else.
    """
    shared = [digest for digest in held_out if digest in references]
    if not shared:
        return dict(held_out)
    a, b = place(domain, "references", references, shared[0]), place(domain, "held_out", held_out, shared[0])
    pair = f"{a} and {b}" + (f" (and {len(shared) - 1} more pairs)" if len(shared) > 1 else "")
    require(
        domain.halved and len(shared) < len(held_out),
        "references and held_out must not share a picture (that would reward copying)",
        f"the same pixels in {pair}",
        "Remove one of each pair.",
    )
    log.info("Pixel-identical images in %s count once, as references.", pair)
    return {digest: key for digest, key in held_out.items() if digest not in references}


def check_apart(
    training_domain: Domain, training: Mapping[Split, Mapping[str, str]],
    domain: Domain, unseen: Mapping[Split, Mapping[str, str]],
) -> None:  # fmt: skip
    """Refuse a training domain that shares an image with the unseen one, pixel by pixel.

    Args:
        training_domain: one of the two.
        training: split -> content digest -> picture id.
        domain: the other.
        unseen: the same as `training`.

    Raises:
        UserError: naming the first pair.
    """
    pairs = [
        (place(training_domain, mine, images, digest), place(domain, other, others, digest))
        for mine, images in training.items()
        for other, others in unseen.items()
        for digest in images
        if digest in others
    ]
    require(
        not pairs,
        "the training domain and the unseen domain must not share a picture",
        pairs and f"the same pixels in {' and '.join(pairs[0])}, {len(pairs)} in all",
        "Give one of them another seed (training_domain.seed=1) or other files.",
    )


def place(domain: Domain, split: Split, images: Mapping[str, str], digest: str) -> str:
    """Where the image of a split with this digest is, for a message."""
    size, key = domain.size(split), images[digest]
    numbers = range(MOST_SEARCHED if size is None else size)
    return next(
        (domain.where(split, i) for i in numbers if domain.address(split, i) == key), f"{split} {key}"
    )


def _render(domain: Domain, store: TensorStore, split: Split, keys: Mapping[int, str], ranks: Ranks) -> None:
    drawing, numbers = domain.drawing, list(keys)
    calls = (lambda: drawing.model.network_calls) if drawing else None
    with (
        drawing.on(ranks.device) if drawing else nullcontext(),
        Meter(split.replace("_", " "), len(keys), calls=calls) as meter,
    ):
        for start in range(0, len(numbers), SHARD):
            part = numbers[start : start + SHARD]
            images = []
            for i in part:
                image = domain.render(split, i)
                images.append(image if image.dtype == store.dtype else to_unit_range(image))
                meter.advance()
            store.write([keys[i] for i in part], torch.stack(images))
