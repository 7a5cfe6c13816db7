"""Going on with a sweep in its own folder: what is left of it, and the commands `resume` and `submit`."""

import argparse
import itertools
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ood_diffusion.checks import UserError, require
from ood_diffusion.report.collect.rows import status
from ood_diffusion.report.collect.run_files import HYDRA, MULTIRUN, HydraFile, Unreadable, parse_yaml, read
from ood_diffusion.report.collect.run_folder import ALONE, WITHOUT_EFFECT, config_dirs, find_runs
from ood_diffusion.report.collect.sweep_size import SweepFile, recipes
from ood_diffusion.runs.configuration import quoted
from ood_diffusion.runs.sweep import Sweep
from ood_diffusion.terminal import printable

NUMBER = "${hydra.job.num}"
"""What stands for a run's number in the name of its folder."""
MULTI = ("-m", "--multirun")
USAGE = "Try: ood-diffusion submit --time=4:00:00 -m eta=0,1"


def to_do(
    folder: Path, runs: Sequence[Sequence[str]], subdir: str, dry: bool = False
) -> tuple[list[list[str]], bool]:
    """The runs of a sweep that are not complete, and whether any was begun before.

    One that was begun has its folder again. The others get the numbers that are free, the smallest first:
    those that they had where the sweep is the same.

    Args:
        folder: of the sweep.
        runs: the overrides of each run that is asked for.
        subdir: the setting `hydra.sweep.subdir`, its interpolations as they stand.
        dry: whether the runs only plan; they do that out of sight, in folders that are nobody's.

    Returns:
        The overrides of each, the last of which says in which folder it is.
    """
    begun = [run for run in find_runs(folder) if run.results or not run.config.get("dry_run")]
    begun.sort(key=lambda run: status(run).word == "complete")  # of two alike, the one that is
    own = dict(zip(recipes([run.overrides for run in begun], runs), begun, strict=True))
    taken = {run.folder.relative_to(folder).as_posix() for run in begun}
    names = (subdir.replace(NUMBER, str(number)) for number in itertools.count())
    free = (name for name in names if name not in taken or NUMBER not in subdir)
    left = []
    for run, recipe in zip(runs, recipes(runs, runs), strict=True):
        there = own.get(recipe)
        if there is None or status(there).word != "complete":
            name = next(free) if there is None else there.folder.relative_to(folder).as_posix()
            name = f".dry_run/{name}" if dry and begun else name
            left.append([*run, f"hydra.sweep.subdir={quoted(name)}"])
    return left, bool(begun)


def numbered(jobs: Sequence[list[str]]) -> list[tuple[int, list[list[str]]]]:
    """Runs, as `to_do` returns them, in rounds of numbers without a gap: Hydra counts on in a round.

    Returns:
        The number of the first run of each round, and the runs; one round from 0 if folders are no numbers.
    """
    rounds: list[tuple[int, list[list[str]]]] = []
    for job in jobs:
        if (found := re.search(r"['/](\d+)'$", job[-1])) is None:
            return [(0, [*jobs])]
        if rounds and int(found[1]) == rounds[-1][0] + len(rounds[-1][1]):
            rounds[-1][1].append(job)
        else:
            rounds.append((int(found[1]), [job]))
    return rounds


def resume(words: Sequence[str]) -> list[str]:
    """The command line, without its first word, that goes on with what lies in a folder.

    Args:
        words: what follows `resume`; ``--help`` ends the process.

    Raises:
        UserError: if there is neither a sweep nor a run in the folder.
    """
    parser = argparse.ArgumentParser(
        prog="ood-diffusion resume",
        description="Go on with a sweep, or a run, in its own folder. Complete runs stay as they are; "
        "failed and unfinished ones run again in place. Settings replace those of the sweep; what they "
        "add becomes new runs. With others of these a run is still the same, unless the sweep varies them: "
        f"{', '.join(sorted(WITHOUT_EFFECT))}. A search goes on; hydra.sweeper.n_trials=N makes it longer.",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="of a sweep, or of a run")
    parser.add_argument("settings", metavar="SETTING", nargs="*", help="such as launcher=joblib or eta=0,1")
    asked = parser.parse_args(words)
    folder: Path = asked.folder.absolute()
    sweep = (folder / MULTIRUN).is_file()
    try:
        shape: Any = SweepFile if sweep else HydraFile
        found = parse_yaml(read(folder / (MULTIRUN if sweep else HYDRA)) or b"", shape)
    except Unreadable as error:
        raise UserError(f"cannot resume {asked.folder}: {error}. Start it anew, in another folder.") from None
    remedy = "Try a folder below outputs/sweeps or outputs/runs."
    require(bool(found), "resume needs the folder of a sweep or of a run", str(asked.folder), remedy)
    if not sweep and not asked.settings and [status(run).word for run in find_runs(folder)] == ["complete"]:
        print(f"{printable(str(asked.folder))} is complete", file=sys.stderr)
        sys.exit(0)
    hydra = found["hydra"]
    places = {"hydra.sweep.dir": folder if sweep else folder.parent}
    if not sweep:
        places = {"hydra.run.dir": folder} | (places if (folder.parent / MULTIRUN).is_file() else {})
    if os.path.isdir(cwd := hydra["runtime"].get("cwd", "")):
        os.chdir(cwd)  # relative paths among the settings start there
    replaced = {word.partition("=")[0].lstrip("+~") for word in asked.settings}
    replaced |= {"hydra.mode", "hydra.sweep.dir", "hydra.run.dir"}
    before = [*hydra["overrides"].get("hydra", []), *hydra["overrides"]["task"]]
    kept = [word for word in before if word.partition("=")[0].lstrip("+~") not in replaced]
    if "launcher" in replaced:  # another one has other settings
        kept = [word for word in kept if not word.startswith("hydra.launcher.")]
    there = [f"{key}={quoted(str(place))}" for key, place in places.items()]
    mode = "-m" if sweep else ALONE
    return [mode, *config_dirs(hydra["runtime"]), *kept, *asked.settings, *there]


def submit(words: Sequence[str]) -> list[str]:
    """The command line, without its first word, that submits a sweep to SLURM and does not wait for it.

    Args:
        words: what follows `submit`: options of ``sbatch``, ``-m``, settings. ``--help`` ends the process.

    Raises:
        UserError: without ``-m``.
    """
    parser = argparse.ArgumentParser(
        prog="ood-diffusion submit",
        usage="ood-diffusion submit [OPTION OF SBATCH ...] -m [SETTING ...]",
        description="Submit the runs of a sweep as a SLURM job array, and return. The options of sbatch that "
        "are used unless given are in conf/hydra/launcher/submit.yaml.",
    )
    end = next((place for place, word in enumerate(words) if word in MULTI), len(words))
    if {"-h", "--help"} & {*words[:end]}:
        parser.parse_args(["--help"])
    require(
        end < len(words), "submit needs -m between options of sbatch and settings", shlex.join(words), USAGE
    )
    options = f"hydra.launcher.options=[{','.join(map(quoted, words[:end]))}]"
    return ["-m", *words[end + 1 :], "launcher=submit", options]


def how_to_resume() -> None:
    """Say by which command this process's sweep, which has not ended well, is resumed."""
    if Sweep.path is not None and (Sweep.path / MULTIRUN).is_file():
        folder = shlex.quote(os.path.relpath(Sweep.path))
        print(f"Resume: ood-diffusion resume {printable(folder)}", file=sys.stderr, flush=True)
