"""Foreign state dicts to the names of diffusers' `UNet2DModel`: strict, every entry used, none missing."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from ood_diffusion.checks import require

Shape = tuple[int, ...]
LISTED = 3
"""Entries named in a message; the rest are counted."""


class Source(NamedTuple):
    """Where a parameter comes from.

    Args:
        key: the entry of the foreign state dict.
        expected: the shape that entry must have, from the shape of the parameter.
        take: the parameter's value, from that entry.
    """

    key: str
    expected: Callable[[Shape], Shape]
    take: Callable[[Tensor], Tensor]


def same(key: str) -> Source:
    """The entry as it is."""
    return Source(key, lambda shape: shape, lambda value: value)


def pointwise(key: str, ones: int) -> Source:
    """A linear layer from a convolution of width 1: the weight ends in `ones` axes of length 1."""

    def expected(shape: Shape) -> Shape:
        return shape + (1,) * ones if len(shape) == 2 else shape

    return Source(key, expected, lambda value: value.flatten(1) if value.ndim > 2 else value)


def qkv_part(key: str, part: int, heads: int, heads_first: bool) -> Source:
    """Query (0), key (1) or value (2) of an attention that makes all three with one 1-d convolution.

    Args:
        key: the entry: weight ``[3C, C, 1]`` or bias ``[3C]``.
        part: which third.
        heads: attention heads; C is a multiple of it.
        heads_first: the 3C rows are ordered (head, part, channel) instead of (part, head, channel).
    """

    def expected(shape: Shape) -> Shape:
        return (3 * shape[0], *shape[1:]) + ((1,) if len(shape) == 2 else ())

    def take(value: Tensor) -> Tensor:
        rows = value.flatten(1) if value.ndim > 1 else value
        split = (heads, 3, -1) if heads_first else (3, heads, -1)
        return rows.reshape(*split, *rows.shape[1:]).select(1 if heads_first else 0, part).flatten(0, 1)

    return Source(key, expected, take)


def convert(
    network: nn.Module, sources: Mapping[str, Source], state: Mapping[str, Tensor], path: str
) -> dict[str, Tensor]:
    """The state dict of `network` from a foreign one.

    Args:
        network: the target; only names and shapes of its parameters are read (it may be on "meta").
        sources: where each of its parameters comes from.
        state: the foreign state dict.
        path: where that was, for the message.

    Raises:
        UserError: naming the foreign entries that are missing, unexpected or of another shape.
    """
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    expected = {source.key: source.expected(shapes[name]) for name, source in sources.items()}
    require_same_entries(path, expected, state)
    return {name: source.take(state[source.key]).contiguous() for name, source in sources.items()}


def require_same_entries(path: str, expected: Mapping[str, Shape], state: Mapping[str, Tensor]) -> None:
    """Raise `UserError` unless `state` has exactly the expected names and shapes; the first are named."""
    found = {name: tuple(value.shape) for name, value in state.items()}
    wrong = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    listed = "; ".join(
        f"{name}: expected {expected.get(name)}, got {found.get(name)}" for name in wrong[:LISTED]
    )
    require(
        not wrong,
        f"{path} must hold the weights of the architecture in the model's YAML",
        f"{len(wrong)} entries that differ, of {len(found)} ({listed})",
        "Correct the architecture or model.weights.",
    )
