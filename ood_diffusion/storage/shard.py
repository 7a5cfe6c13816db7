"""One shard: a safetensors file whose header has ids, content digests, what made it and a checksum of it."""

import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.fingerprint import fingerprint, tensor_digest
from ood_diffusion.storage.atomic import atomic_write

ENDING = ".safetensors"
DIGEST = 32
"""Characters of a content digest."""
DRIVER = Path("/proc/driver/nvidia/version")


class Damage(Exception):
    """What is wrong with a shard."""


class Deleted(Damage):
    """A shard that is not there."""


class Version(NamedTuple):
    """When a file was last written in ns, its size in bytes, its inode: of another version one differs."""

    written: int
    size: int
    inode: int

    @classmethod
    def of(cls, about: os.stat_result) -> "Version":
        """From what the file system says."""
        return cls(about.st_mtime_ns, about.st_size, about.st_ino)


Part = tuple[str, Version, int]
"""A shard that was merged into another one: name, version, and number of rows there."""


class Header(NamedTuple):
    """What a shard says of itself.

    Args:
        ids: of its rows.
        digests: of its rows, `DIGEST` characters each, one after the other.
        origin: what made it, as JSON; empty where the header comes from the index.
        parts: the shards that it was merged from; empty if it was not.
    """

    ids: Sequence[str]
    digests: str
    origin: str = ""
    parts: Sequence[Part] = ()

    def digest(self, row: int) -> str:
        """The content digest of a row."""
        return self.digests[row * DIGEST : (row + 1) * DIGEST]


def write_shard(
    folder: Path,
    ids: Sequence[str],
    data: Tensor,
    made_by: str,
    parts: Sequence[Part] = (),
) -> str:
    """Write rows ``[b, …]`` whole or not at all to the store in `folder`; `made_by`: `origin` as JSON.

    Returns:
        The shard's name. A merged one has the time of the latest of its parts: it must not come before what
        was written since.
    """
    header = {
        "ids": json.dumps(list(ids)),
        "digests": json.dumps([tensor_digest(row) for row in data]),
        "origin": made_by,
        **({"parts": json.dumps(parts)} if parts else {}),
    }
    header["checksum"] = _checksum(folder, header)
    name = name_of(ids)
    written = max((version.written for _, version, _ in parts), default=None)
    atomic_write(folder / "shards" / name, save({"data": data}, metadata=header), written)
    return name


def name_of(ids: Sequence[str]) -> str:
    """Of the shard with these rows."""
    return f"{fingerprint(list(ids))}{ENDING}"


def read_header(folder: Path, name: str) -> Header:
    """What a shard of the store in `folder` says of itself; raises `Damage` if it was not written so."""
    with opened(folder / "shards" / name) as file:
        header = file.metadata() or {}
    if header.pop("checksum", None) != _checksum(folder, header):
        raise Damage("its header is not what was written here")
    parts = [(part, Version(*version), rows) for part, version, rows in json.loads(header.get("parts", "[]"))]
    return Header(json.loads(header["ids"]), "".join(json.loads(header["digests"])), header["origin"], parts)


def read_rows(shard: Path, rows: Sequence[int]) -> list[Tensor]:
    """These rows of a shard, each ``[1, …]``; raises `Damage` if it does not have them."""
    with opened(shard) as file:
        data = file.get_slice("data")
        if data.get_shape()[0] <= max(rows):
            raise Damage("it has too few rows")
        return [data[row : row + 1] for row in rows]


@contextmanager
def opened(shard: Path) -> Iterator[Any]:
    """A shard's file; raises `Damage` if it is none."""
    if not shard.is_file():  # a link to nothing, a folder, a pipe: opening that one would wait forever
        raise Damage("it is no file") if os.path.lexists(shard) else Deleted("it was deleted")
    try:
        with safe_open(shard, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise Deleted("it was deleted") from None
    except SafetensorError as error:
        raise Damage(str(error)) from None
    except PermissionError:
        raise UserError(f"{shard} cannot be read. Change its permissions or use another store.") from None


def _checksum(folder: Path, header: Mapping[str, str]) -> str:
    return fingerprint([folder.parent.name, folder.name, *sorted(header.items())])


@functools.cache
def origin(device: torch.device) -> dict[str, str]:
    """Name of the device (of a CPU: its vector instructions), versions of torch, CUDA, cuDNN and driver.

    What made a result can move last digits, but is no part of an address.
    """
    found = {"torch": str(torch.__version__)}
    if device.type != "cuda":
        cpu = f"cpu {torch.backends.cpu.get_cpu_capability()}"
        return found | {"device": cpu if device.type == "cpu" else device.type}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    found |= {"device": torch.cuda.get_device_name(device)}
    found |= {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
    return found | ({"driver": DRIVER.read_text().splitlines()[0]} if DRIVER.exists() else {})
