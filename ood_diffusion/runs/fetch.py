"""`ood-diffusion fetch NAME`: the checkpoint of a model, downloaded to where the model looks for it."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import yaml
from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.text import Text

from ood_diffusion.checks import UserError, require
from ood_diffusion.models.checkpoint import file_digest
from ood_diffusion.report.wide import screen
from ood_diffusion.runs.configuration import conf_folder
from ood_diffusion.terminal import brief

TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""
BLOCK = 2**20


def fetch(arguments: Sequence[str]) -> bool:
    """Say what a checkpoint is and where it comes from, then download it; without a name, list all.

    Returns:
        True.

    Raises:
        UserError: if there is no such checkpoint, no direct link or no network, or another file came.
    """
    asked = parser().parse_args(arguments)
    known: dict[str, dict[str, Any]] = yaml.safe_load(
        Path(conf_folder(), "checkpoints.yaml").read_text(encoding="utf-8")
    )
    if asked.name is None:
        for name, source in known.items():
            say(name, source["url"] or f"by hand: {source['page']}")
        return True
    path = Path(conf_folder(), "model", f"{asked.name}.yaml")
    if path.is_file() and "${ood_diffusion.embedded:" in path.read_text(encoding="utf-8"):
        say("done", f"model={asked.name} comes with the package: there is nothing to fetch")
        return True
    require(
        asked.name in known,
        f"the checkpoint to fetch must be one of: {', '.join(known)}",
        asked.name,
        "Any other model reads what model.weights or model.path names.",
    )
    model = OmegaConf.load(path)
    cfg = OmegaConf.create({"model": model, "checkpoints": asked.checkpoints})
    target, source = Path(cfg.model.weights).expanduser(), known[asked.name]
    kind, expected = ("sha256", cfg.model.sha256) if cfg.model.sha256 else ("md5", source.get("md5"))
    size = source.get("bytes")
    say("from", source["url"] or "no direct link")
    say("page", source["page"])
    say("licence", source["licence"])
    say("size", f"{size:,} bytes" if size else "not published")
    say("checksum", f"{kind} {expected}" if expected else "not published")
    say("to", str(target))
    by_hand = f"Without a network, or by hand: get the file from {source['page']} and put it at {target}."
    require(not target.is_dir(), f"{target} must be a file or not be there", "a folder", "Rename it.")
    if target.exists():
        check(target, size, kind, expected, by_hand)
        say("done", "it is there already")
        return True
    require(source["url"] is not None, f"{asked.name} must have a direct link", None, by_hand)
    with alone(target):
        if target.exists():
            say("done", "the other process has fetched it")
            return True
        part = target.with_name(f"{target.name}.part")
        try:
            receive(source["url"], part)
        except (OSError, HTTPException) as error:
            kept = part.stat().st_size if part.is_file() else 0
            raise UserError(
                f"{source['url']} must come to {part}, but got: {brief(error)}. {kept:,} bytes are kept; the "
                f"same command goes on from there. {by_hand}"
            ) from None
        try:
            check(part, size, kind, expected, by_hand)
        except UserError:
            part.unlink()
            raise
        sha256 = file_digest(part, "sha256")
        part.replace(target)
    say("done", f"sha256 {sha256}" + ("" if expected else f"; to have it checked: model.sha256={sha256}"))
    return True


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Keep other processes from fetching the same file at the same time; they wait.

    Raises:
        UserError: if nothing can be written beside it.
    """
    path = target.with_name(f"{target.name}.lock")
    lock = FileLock(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        say("waiting", "another process is fetching it")
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"--checkpoints must be a folder that can be written, but got: {brief(error)}. Name another one."
        ) from None
    try:
        yield
    finally:
        lock.release()
        if target.exists():  # who comes from now on finds it, whatever lock it holds
            path.unlink(missing_ok=True)


def parser() -> argparse.ArgumentParser:
    """Of the arguments after `fetch`."""
    made = argparse.ArgumentParser("ood-diffusion fetch", description="Download the checkpoint of a model.")
    made.add_argument("name", nargs="?", help="as in model=NAME; without it all are listed")
    made.add_argument("--checkpoints", default="checkpoints", help="the folder, as in checkpoints=FOLDER")
    return made


def say(what: str, text: str) -> None:
    """Print one line of the card."""
    screen().print(Text(f"{what:<16} {text}"), soft_wrap=True)


def check(path: Path, size: int | None, kind: str, expected: str | None, remedy: str) -> None:
    """Raise `UserError` unless the file has the published size in bytes and checksum, where there are any."""
    got = path.stat().st_size
    require(size in (None, got), f"{path} must have the published size of {size} bytes", got, remedy)
    found = file_digest(path, kind) if expected else None
    require(found == expected, f"{path} must have the published {kind}, {expected}", found, remedy)


def receive(url: str, part: Path) -> None:
    """Append to `part` what is missing in it of the file at `url`; start anew where a server cannot go on.

    Raises:
        OSError: if the connection fails or ends early; what has come is kept.
    """
    have = part.stat().st_size if part.is_file() else 0
    request = Request(
        url, headers={"User-Agent": "ood-diffusion", **({"Range": f"bytes={have}-"} if have else {})}
    )
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416:  # there is nothing behind what is here
            return
        raise
    goes_on = response.status == 206
    first, rest = have if goes_on else 0, response.headers.get("Content-Length", "")
    total = first + int(rest) if rest.isdecimal() else None
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with (
        response,
        part.open("ab" if goes_on else "wb") as file,
        Progress(*columns, console=Console(stderr=True)) as bar,
    ):
        task = bar.add_task("", total=total, completed=first)
        while block := response.read(BLOCK):
            file.write(block)
            bar.advance(task, len(block))
        got = file.tell()
    if total is not None and got < total:
        raise ConnectionError(f"the connection ended after {got:,} of {total:,} bytes")
