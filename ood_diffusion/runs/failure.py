"""Why a run failed: one line in its folder and for the terminal, the traceback in its log file."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import shorten
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.checks import UserError, require
from ood_diffusion.report.collect.run_files import MULTIRUN, NOT_BEGUN, PREVIOUS
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.runs.configuration import sweep_folder
from ood_diffusion.runs.outcome import RankFailure, RunFailure, verdict
from ood_diffusion.runs.sweep import RESULTS, Sweep
from ood_diffusion.storage.atomic import atomic_write, remove_leftovers
from ood_diffusion.storage.holding import acquire
from ood_diffusion.terminal import printable

NAME = "error.txt"
LOG = "cli.log"
LOCK = ".lock"
PACKAGE = "ood_diffusion"
LONGEST = 1000
"""Characters of an unexpected error that are shown; the log file has them all."""
SAID: dict[int, type[Exception]] = {1: RunFailure, 2: UserError}
"""Exit status of a rank -> what its reason is raised as where it was started."""


@contextmanager
def recorded(folder: Path, first: bool = True) -> Iterator[None]:
    """Write `error.txt` to `folder` if the block raises, beside no results of an earlier attempt.

    The error of an earlier attempt is removed first, and its results are moved to `PREVIOUS`, from where they
    go when the block has ended well.

    Where a user's mistake ended the run before its first stage, `NOT_BEGUN` is its last line.

    A process that is killed, asked to leave or interrupted leaves none: its run has not failed, it is
    unfinished. What a rank has written is what the process that started it raises.

    Args:
        folder: of the run.
        first: False in a rank that another process of the run has started: what is there is of this attempt.
    """
    path = folder / NAME
    if first:
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            os.replace(folder / RESULTS, folder / PREVIOUS)
    try:
        yield
        if first:
            (folder / PREVIOUS).unlink(missing_ok=True)
    except Exception as error:
        if isinstance(error, RankFailure) and error.status in SAID and path.exists():
            said = path.read_text(encoding="utf-8").strip().removesuffix(f"\n{NOT_BEGUN}")
            raise SAID[error.status](said) from None
        if first or not path.exists():
            status, reason = verdict(error) or (1, str(error))
            begun = status != 2 or isinstance(error, OSError) or (folder / RESULTS).exists()
            lines = [reason] if begun or (folder / PREVIOUS).exists() else [reason, NOT_BEGUN]
            try:
                atomic_write(path, "".join(f"{each}\n" for each in lines).encode(errors="backslashreplace"))
            except OSError:  # the disk may be what failed
                if not first:
                    print(f"error: {printable(reason)}", file=sys.stderr)
        raise


def require_no_failure(folder: Path, fail_fast: object) -> None:
    """Raise `UserError` with `fail_fast` if another run of the sweep has failed since it was last started."""
    require(isinstance(fail_fast, bool), "fail_fast must be true or false", fail_fast, "Try true.")
    sweep = sweep_folder()
    if not fail_fast or sweep is None or not (sweep / MULTIRUN).is_file():
        return
    began = (sweep / MULTIRUN).stat().st_mtime_ns
    errors = (run.folder / NAME for run in find_runs(sweep) if run.folder != folder)
    failed = [path.parent for path in errors if path.exists() and path.stat().st_mtime_ns > began]
    require(
        not failed, "fail_fast=true runs nothing after a failure", str(min(failed, default="")), "Resume it."
    )


class Occupied(UserError):
    """Another process runs in the folder of a run."""


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Keep `folder` to this run, whose output folder it is, while the block runs.

    Raises:
        Occupied: if another process uses it; what lies there is left as it is, here and below.
        UserError: if another run of this process's sweep has used it.
    """
    rule = "each run needs its own folder"
    remedy = (
        "Leave hydra.run.dir and hydra.sweep.subdir as they are, or put what differs into their names, "
        "such as ${hydra.job.num}."
    )
    require(folder not in Sweep.used, rule, f"{folder}, which another run of this sweep has used", remedy)
    lock = FileLock(folder / LOCK)
    try:
        acquire(lock, timeout=0)
    except Timeout:
        raise Occupied(f"{rule}, but got {str(folder)!r}, in which another process runs. {remedy}") from None
    try:
        remove_leftovers(folder)
        yield
    finally:
        Sweep.used.add(folder)
        lock.release()


@contextmanager
def explained(folder: Path, cfg: DictConfig) -> Iterator[None]:
    """Turn an unexpected error into a `RunFailure` that says where it arose; its traceback goes to a file.

    Args:
        folder: of the run.
        cfg: its configuration, which names the parts.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        stopped = isinstance(error, SystemExit) and isinstance(error.code, int) and error.code != 0
        if stopped or verdict(error) is not None:  # a part that calls exit() has not finished its run
            raise
        with suppress(OSError), open(folder / LOG, "a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
        raise RunFailure(message(error, cfg, folder / LOG)) from None


def message(error: BaseException, cfg: DictConfig, log: Path) -> str:
    """One line: what was raised, by which part, in which file, and where the traceback is."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    what = shorten("".join(traceback.format_exception_only(error)), LONGEST, placeholder=" ...")
    remedy = ""
    if isinstance(error, MemoryError | RuntimeError):
        from ood_diffusion.lightning.memory import out_of_memory  # imports PyTorch

        if out_of_memory(error):
            what = f"out of memory ({what})"
            remedy = (
                f" Lower batch_size (now {cfg.get('batch_size')}), try precision=bf16, or use a device with "
                "more memory."
            )
    return f"{place(error, cfg)}: {what}.{remedy} The traceback is in {log}."


def place(error: BaseException, cfg: DictConfig) -> str:
    """Where it was raised: the innermost frame in a part of the configuration, first in one of a user."""
    frames = [*traceback.walk_tb(error.__traceback__)][::-1]
    own = [found for found in frames if name_of(found[0]).startswith(f"{PACKAGE}.")]
    modules = dict(targets(OmegaConf.to_container(cfg)))
    for frame, line in [*(found for found in frames if found not in own), *own]:
        if part := part_of(name_of(frame), modules):
            return f"{part} ({where(frame, line)})"
    found = next(iter(own or frames), None)
    return where(*found) if found else "the run"


def name_of(frame: FrameType) -> str:
    """Of the module in which it runs."""
    return str(frame.f_globals.get("__name__"))


def where(frame: FrameType, line: int) -> str:
    """File and line, the file from the working folder on if it lies there."""
    path = Path(frame.f_code.co_filename)
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return f"{path}, line {line}"


def part_of(module: str, modules: dict[str, str]) -> str:
    """The part that is defined in `module`, or the only one in the package of ours that holds it; else empty.

    Args:
        module: the name of a module.
        modules: name of a part -> `_target_`.
    """
    if exact := next((part for part, target in modules.items() if target.startswith(f"{module}.")), ""):
        return exact
    if not module.startswith(f"{PACKAGE}."):
        return ""
    room = ".".join(module.split(".")[:2])
    groups = {part.split(".")[0] for part, target in modules.items() if target.startswith(f"{room}.")}
    return groups.pop() if len(groups) == 1 else ""


def targets(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every part below `node` and its `_target_`, but for those that hold the settings of stages."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "_target_":
            yield path, str(value)
        elif path or key not in ("stage", "trainer", "training"):
            yield from targets(value, f"{path}.{key}" if path else str(key))
