"""Content hashes: the address of everything on disk is the hash of everything that determines it."""

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import is_dataclass
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ood_diffusion.source import Recipe, is_users


def fingerprint(recipe: object) -> str:
    """Hash a JSON-serialisable recipe to 16 hexadecimal digits, independent of key order.

    Raises:
        TypeError: if the recipe holds something JSON cannot express (the recipe must be explicit).
    """
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def tensor_digest(tensor: Tensor) -> str:
    """Hash a tensor's dtype, shape and values to 32 hexadecimal digits (strides do not matter)."""
    sha = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    sha.update(_raw_bytes(tensor))
    return sha.hexdigest()[:32]


def weights_digest(state: Mapping[str, Any]) -> str:
    """Hash a state dict (names, dtypes, shapes and values) to 32 hexadecimal digits."""
    sha = hashlib.sha256()
    for name in sorted(state):
        sha.update(f"{name}{state[name].dtype}{tuple(state[name].shape)}".encode())
        sha.update(_raw_bytes(state[name]))
    return sha.hexdigest()[:32]


def architecture(network: nn.Module) -> Recipe:
    """The class and the own attributes of every module in `network`; no weights, no buffers.

    Objects of the network's own package, and of what is not installed, count by their attributes, those of
    other libraries by their class.
    """
    own = type(network).__module__.partition(".")[0]
    parts = {}
    for name, part in network.named_modules():
        added = {key: value for key, value in attributes(part).items() if key not in _MODULE}
        parts[name] = [type(part).__qualname__, described(added, own)]
    return parts


_MODULE = vars(nn.Module()).keys()
_PLAIN = (float, complex, bytes, range, np.generic, PurePath, Enum, torch.dtype, torch.device)


def described(thing: Any, package: str = "", outer: tuple[int, ...] = ()) -> Any:
    """`thing` as JSON that is equal for equal things, in any process.

    Args:
        thing: anything; what is of no known kind counts by the name of its class.
        package: whose objects count by their attributes, as do those of the user's own modules.
        outer: ids of what `thing` lies in, which is not described again.
    """
    if isinstance(thing, _PLAIN):
        return str(thing)
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, Tensor):
        return tensor_digest(thing)
    if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        return [str(thing.dtype), *thing.shape, hashlib.sha256(np.ascontiguousarray(thing)).hexdigest()[:32]]
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    if id(thing) in outer:
        return name
    outer = (*outer, id(thing))
    if isinstance(thing, Mapping):  # private entries of a library's own kind are notes: versions, paths
        kept = [key for key in thing if type(thing) is dict or not str(key).startswith("_")]
        return {str(key): described(thing[key], package, outer) for key in kept}
    if isinstance(thing, list | tuple):
        return [described(value, package, outer) for value in thing]
    if isinstance(thing, Set):
        return sorted((described(value, package, outer) for value in thing), key=str)
    if isinstance(thing, partial):
        return [name, *(described(part, package, outer) for part in (thing.func, thing.args, thing.keywords))]
    if isinstance(thing, FunctionType) and thing.__closure__:
        return [name, *(described(cell.cell_contents, package, outer) for cell in thing.__closure__)]
    if isinstance(thing, type | FunctionType):
        return name
    of_package = type(thing).__module__.partition(".")[0] == package or is_users(type(thing))
    if of_package or isinstance(thing, nn.Module) or is_dataclass(thing):
        return [name, described(attributes(thing), package, outer)]
    return name


def attributes(thing: object) -> dict[str, object]:
    """The attributes of an instance, also those in slots."""
    slots = [vars(kind).get("__slots__", ()) for kind in type(thing).__mro__]
    names = [name for each in slots for name in ([each] if isinstance(each, str) else each)]
    slotted = {name: getattr(thing, name) for name in names if name[:2] != "__" and hasattr(thing, name)}
    return {**slotted, **getattr(thing, "__dict__", {})}


def _raw_bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
