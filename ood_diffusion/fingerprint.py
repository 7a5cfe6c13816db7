"""Content hashes: the address of everything on disk is the hash of everything that determines it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


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


def _raw_bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
