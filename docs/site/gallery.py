"""The gallery: pages whose commands are run while the site is built, each with what it printed and drew.

A page is Markdown that can be followed by hand. Code with a title is a file to write, ``bash`` is run in the
page's own folder, beside the scripts of `docs/examples`, and ``<!-- PATH: CAPTION -->`` stands for a picture.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from mkdocs.exceptions import PluginError

EXAMPLES = Path(__file__).parents[1] / "examples"
FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^<!-- (\S+): (.+) -->$", re.MULTILINE)


def all_executed(folder: Path) -> dict[str, tuple[str, dict[str, bytes]]]:
    """Every page of the gallery but its index, two at a time.

    Returns:
        Path in the site -> page in Markdown, and its pictures by their paths in the site.
    """

    def one(path: Path) -> tuple[str, dict[str, bytes]]:
        with TemporaryDirectory() as scratch:
            text, pictures = executed(path.read_text(encoding="utf-8"), path.stem, Path(scratch), printed)
        return text, {f"gallery/{name}": picture for name, picture in pictures.items()}

    pages = [path for path in sorted(folder.glob("*.md")) if path.stem != "index"]
    with ThreadPoolExecutor(2) as pool:
        return {f"gallery/{path.name}": done for path, done in zip(pages, pool.map(one, pages), strict=True)}


def executed(
    page: str, name: str, folder: Path, run: Callable[[str, Path], str]
) -> tuple[str, dict[str, bytes]]:
    """The page with what its commands print, and its pictures by the names that it gives them.

    Args:
        page: in Markdown.
        name: of the page, with which the names of its pictures begin.
        folder: an empty one, in which everything happens.
        run: runs commands of bash in a folder; returns what they print.
    """
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    for file, text in FILE.findall(page):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")

    def with_output(found: re.Match[str]) -> str:
        said = run(found[1], folder)
        return f"{found[0]}\n\n```text\n{said}\n```" if said else found[0]

    page = COMMANDS.sub(with_output, page)
    pictures = {f"{name}_{Path(path).name}": folder / path for path, _ in PICTURE.findall(page)}
    page = PICTURE.sub(lambda found: f"![{found[2]}]({name}_{Path(found[1]).name})\n\n*{found[2]}*", page)
    return page, {picture: path.read_bytes() for picture, path in pictures.items()}


def printed(commands: str, folder: Path) -> str:
    """What commands say on standard output, or, if nothing, on standard error; without the folder's name.

    Raises:
        PluginError: if one of them fails, which ends the build.
    """
    scripts = os.path.realpath(os.path.dirname(sys.executable))
    own = {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "88", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PluginError(f"a command of the gallery failed:\n{commands}\n{done.stderr}")
    said = done.stdout if done.stdout.strip() else done.stderr
    lines = said.replace(f"{folder}/", "").replace(f"{scripts}/", "").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n")
