"""What the commands that read runs take: a folder, and where the table goes."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ood_diffusion.checks import require
from ood_diffusion.report.collect.table_file import check_output


def folder_and_output(
    command: str, description: str, arguments: Sequence[str], table: str = ""
) -> tuple[Path, Path]:
    """Read the words after a command; ``--help`` and unknown words end the process, as argparse does.

    Args:
        command: its name.
        description: what it does, in one or two sentences.
        arguments: the words.
        table: name of the file without its ending; the command's own where it is empty.

    Returns:
        The folder of runs, and the file to write: ``FOLDER/<table>.csv`` unless ``--output`` names another.

    Raises:
        UserError: if there is no such folder, or no way to write a table as the file is named.
    """
    default = f"{table or command}.csv"
    parser = argparse.ArgumentParser(prog=f"ood-diffusion {command}", description=description)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a folder that contains runs or sweeps")
    where = f"a .csv or .parquet file (default: FOLDER/{default})"
    parser.add_argument("--output", metavar="FILE", type=Path, help=where)
    asked = parser.parse_args(arguments)
    folder: Path = asked.folder
    require(os.path.isdir(folder), f"{command} needs a folder that exists", str(folder), "Try outputs.")
    output: Path = asked.output or folder / default
    check_output(output)
    return folder, output
