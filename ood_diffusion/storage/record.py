"""Small JSON files that notice damage."""

import json
from pathlib import Path
from typing import Any

from ood_diffusion.fingerprint import fingerprint
from ood_diffusion.storage.atomic import atomic_write


def write_record(path: Path, content: object) -> None:
    """Write what JSON can express, whole or not at all, with a checksum."""
    text = json.dumps(content)
    atomic_write(path, json.dumps({"content": text, "checksum": fingerprint(text)}).encode())


def read_record(path: Path) -> Any:
    """What `write_record` wrote; None if there is nothing, or it is damaged."""
    record = read_json(path)
    if not isinstance(record, dict) or record.get("checksum") != fingerprint(record.get("content")):
        return None
    return json.loads(record["content"])


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is none, or it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError, RecursionError):
        return None
