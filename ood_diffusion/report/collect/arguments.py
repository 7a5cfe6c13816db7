"""What the commands that read runs take: folders, where the table goes, and how wide it may be."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ood_diffusion.checks import require
from ood_diffusion.report.collect.table_file import check_output


class Asked(NamedTuple):
    """The folders of runs, the file to write, and whether the table on the screen may be wider than that."""

    folders: list[Path]
    output: Path
    wide: bool


def asked_for(command: str, description: str, arguments: Sequence[str], table: str = "") -> Asked:
    """Read the words after a command; ``--help`` and unknown words end the process, as argparse does.

    Args:
        command: its name.
        description: what it does, in one or two sentences.
        arguments: the words.
        table: name of the file without its ending; the command's own where it is empty.

    Returns:
        What is asked for; the file is ``<table>.csv`` in the deepest folder that holds all, unless
        ``--output`` names another.

    Raises:
        UserError: if there is no such folder, or no way to write a table as the file is named.
    """
    default = f"{table or command}.csv"
    parser = argparse.ArgumentParser(prog=f"ood-diffusion {command}", description=description)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="one with runs or sweeps")
    where = f"a .csv or .parquet file (default: {default} in the folder, or in the one that holds them all)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=where)
    all_columns = "show all columns, however wide the terminal is"
    parser.add_argument("--wide", action="store_true", help=all_columns)
    asked = parser.parse_args(arguments)
    for folder in asked.folders:
        require(os.path.isdir(folder), f"{command} needs a folder that exists", str(folder), "Try outputs.")
    output: Path = asked.output or folder_of(asked.folders) / default
    check_output(output)
    return Asked(asked.folders, output, asked.wide)


def folder_of(folders: Sequence[Path]) -> Path:
    """The deepest folder that holds all of these, from the working folder."""
    return Path(os.path.relpath(os.path.commonpath([os.path.abspath(folder) for folder in folders])))
