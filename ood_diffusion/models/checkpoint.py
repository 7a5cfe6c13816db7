"""Read the state dict of a checkpoint file without running anything that is in it."""

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ood_diffusion.checks import UserError, require

PREFIXES = ("module.", "_orig_mod.")
"""What `DataParallel`, DDP and `torch.compile` put before every key of a saved network."""

NO_CHECKPOINT = (
    ((b"<!doctype", b"<html"), "a web page", "Download it again."),
    (b"version https://git-lfs", "a Git LFS pointer", "Run `git lfs pull` there, or download the file."),
)
"""How files begin that often lie in the place of a checkpoint, what they are, and what to do."""


def read_state(weights: str, sha256: str | None = None, entry: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a PyTorch checkpoint (.pt, .pth, .ckpt, .bin).

    PyTorch's files are pickles: they are read with ``weights_only=True``, which admits tensors and plain
    containers and nothing that could run code.

    Args:
        weights: path of the file; ``~`` is the home folder.
        sha256: what the file must hash to, if given (64 hexadecimal digits).
        entry: which of several state dicts in the file (its key, or its number in a list). None takes
            the only one; of several, the one whose name says "ema", or a list's last, which is where
            Song et al.'s DDIM code keeps its average.

    Returns:
        float32 tensors by name, without the prefixes that wrappers add.

    Raises:
        UserError: if the file is missing, damaged, holds code, is not what `sha256` says, holds no (or
            no unambiguous) state dict, or holds a NaN or an infinity.
    """
    path = Path(weights).expanduser()
    require(
        path.is_file(),
        "model.weights must be a checkpoint file",
        f"{path} does not exist" if not path.exists() else f"the folder {path}",
        "Set model.weights; docs/models.md says where the published checkpoints are.",
    )
    if sha256 is not None:
        check_sha256(path, sha256)
    state = choose(_load(path), entry, path)
    for prefix in PREFIXES * 2:  # wrappers nest
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    # a copy, because what torch maps from the file would change with it
    state = {name: value.to(torch.float32, copy=True) for name, value in state.items()}
    broken = [name for name, value in state.items() if not is_finite(value)]
    require(
        not broken,
        "a checkpoint must hold finite numbers",
        f"NaN or infinity in {len(broken)} of {len(state)} entries of {path} ({', '.join(broken[:3])})",
        "Use a checkpoint from before training diverged.",
    )
    return state


def check_sha256(path: Path, sha256: str) -> None:
    """Raise `UserError` unless the file's SHA-256 is `sha256` (in either case)."""
    found = file_digest(path, "sha256")
    require(
        found == str(sha256).lower(),
        f"{path} must have the SHA-256 that model.sha256 states, {sha256}",
        found,
        "Download the file again, or correct model.sha256.",
    )


def file_digest(path: Path, kind: str) -> str:
    """The hash of a file's bytes, as hexadecimal digits; `kind` is a name that `hashlib` knows."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def is_finite(value: Tensor) -> bool:
    """Whether no entry is a NaN or an infinity; a sum finds nearly all of them out five times as fast."""
    return bool(value.sum().isfinite()) or bool(value.isfinite().all())


def choose(loaded: Any, entry: str | None, path: Path) -> dict[str, Tensor]:
    """The state dict inside what a checkpoint holds; see `read_state`."""
    if is_state(loaded):
        require(entry is None, f"{path} is one state dict and has no entries", entry, "Set model.entry=null.")
        return dict(loaded)
    items = _named(loaded)
    found = {name: dict(value) for name, value in items.items() if is_state(value)}
    listed = ", ".join(found) or "none"
    if entry is not None:
        require(
            entry in found, f"model.entry must name a state dict in {path}: {listed}", entry, "Correct it."
        )
        return found[entry]
    require(
        bool(found),
        f"{path} must hold a state dict (names and tensors)",
        f"{type(loaded).__name__} of {', '.join(list(items)[:8]) or 'nothing'}",
        "Save the network's state_dict() instead.",
    )
    averages = [name for name in found if "ema" in name.lower()]
    if isinstance(loaded, Sequence):
        averages = [list(found)[-1]]
    chosen = list(found) if len(found) == 1 else averages
    require(
        len(chosen) == 1,
        f"{path} holds several state dicts, so model.entry must name one: {listed}",
        entry,
        "Set model.entry.",
    )
    return found[chosen[0]]


def is_state(value: Any) -> TypeGuard[Mapping[str, Tensor]]:
    """Whether `value` is names mapped to tensors, and not empty."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _load(path: Path) -> Any:
    damaged = "a checkpoint must be a whole safetensors or PyTorch file"
    with path.open("rb") as file:
        head = file.read(64)
    require(bool(head), damaged, f"the empty file {path}", "Download it again.")
    for begins, what, remedy in NO_CHECKPOINT:
        require(not head.lstrip().lower().startswith(begins), damaged, f"{what} in {path}", remedy)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: such files are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True, mmap=head.startswith(b"PK"))
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        asks = f"asks for {named[1]}" if named else "holds something else"
        raise UserError(
            f"a checkpoint must hold tensors in plain containers, but {path} {asks}; reading it could run "
            "code. Save the network's state_dict() alone, best as safetensors."
        ) from None
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).split(". ")[0] or type(error).__name__
        raise UserError(f"{damaged}, but {path} is not: {reason}. Download it again.") from None


def _named(loaded: Any) -> dict[str, object]:
    if isinstance(loaded, Mapping):
        return {str(name): value for name, value in loaded.items()}
    if isinstance(loaded, Sequence) and not isinstance(loaded, (str, bytes)):
        return {str(number): value for number, value in enumerate(loaded)}
    return {}
