"""Every command of the pages on the paper composes; that such commands run is tested with the README's."""

import re
import shlex
from pathlib import Path

import pytest

from ood_diffusion.cli import COMMANDS
from tests.composed import composed

DOCS = Path(__file__).parents[2] / "docs"
LINES = [
    line
    for page in (
        "claims.md",
        "concepts.md",
        "fields.md",
        "hour.md",
        "models.md",
        "paper.md",
        "sampling.md",
        "solvers.md",
        "wandb.md",
    )
    for block in re.findall(r"```bash\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("ood-diffusion")
]


def test_commands_were_found() -> None:
    assert len(LINES) > 20


@pytest.mark.slow
@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_command_composes(line: str) -> None:
    _, *words = shlex.split(line)
    if words[0] in COMMANDS or words[0] == "--config-dir":  # a folder of the user's
        return
    if words[0] == "-m":  # of values to sweep over, the first
        words = [word if "[" in word else word.split(",")[0] for word in words[1:]]
    assert composed(*words).stages


@pytest.mark.parametrize("page", ["claims.md", "concepts.md", "paper.md"])
def test_pictures_are_there(page: str) -> None:
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (DOCS / page).read_text()):
        assert (DOCS / picture).is_file(), picture
