"""Read what W&B wrote offline: LevelDB log framing around protobuf records."""

import json
import struct
import time
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

from tests.cli import LIMIT

BLOCK = 32 * 1024


def records(folder: Path) -> list[Any]:
    """All records of the one finished offline run under `folder`.

    W&B's service writes the file a moment after `finish` returns: wait for the record that ends it.
    """
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        found = _parse(path.read_bytes())
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{path} has no exit record")


def _parse(data: bytes) -> list[Any]:
    at, part, found = 7, b"", []
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:  # the tail of a block is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if at + 7 + length > len(data):  # still being written
            break
        part, at = part + data[at + 7 : at + 7 + length], at + 7 + length
        if kind in (1, 4):  # full, last
            found.append(wandb_internal_pb2.Record.FromString(part))
            part = b""
    return found


def history(folder: Path) -> dict[str, Any]:
    """The last value of every logged key."""
    return _read(item for record in records(folder) for item in record.history.item)


def summary(folder: Path) -> dict[str, Any]:
    """The last value of every key of the summary."""
    return _read(item for record in records(folder) for item in record.summary.update)


def config(folder: Path) -> dict[str, Any]:
    """The configuration of the run."""
    found = records(folder)
    updates = [update for record in found for update in (record.run.config.update, record.config.update)]
    return _read(item for update in updates for item in update)


def _read(items: Any) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for item in items:
        *outer, last = list(item.nested_key) or [item.key]
        place = rows
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return rows
