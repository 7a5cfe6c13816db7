"""A shell completes commands, settings and choices: what Hydra knows, and what it does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import environment_with, run_cli


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("ood-diffusion co", ["collect", "compare", "compile=", "control="], ["claims", "eta="]),
        ("ood-diffusion -m eta=0,1 'stages=[invert]' solver=d", ["solver=ddim", "solver=dpmpp_2m"], []),
        ("ood-diffusion resume outputs/x --cfg job launcher=jo", ["launcher=joblib"], []),
        ("ood-diffusion submit --time=1:00 -m +swe", ["+sweep"], []),
        ("ood-diffusion domain=image_folder domain.pa", ["domain.path="], []),
        ("ood-diffusion collect out", [], ["output="]),  # the shell's: a folder
        ("ood-diffusion resume out", [], ["output="]),
        ("ood-diffusion domain=nowhere domain.pa", [], []),
    ],
)
def test_what_a_word_can_become(line: str, some: list[str], none: list[str], tmp_path: Path) -> None:
    done = run_cli(tmp_path, "-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line)))
    assert done.stderr == "", "it would stand in the user's line"
    found = done.stdout.split()
    assert {*some} <= {*found} and not {*none} & {*found}
    assert bool(found) is bool(some)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path: Path) -> None:
    """With a command of that name on the path, as an installation makes it."""
    script = tmp_path / "ood-diffusion"
    script.write_text(f"#!{sys.executable}\nfrom ood_diffusion.cli import main\n\nmain()\n")
    script.chmod(0o755)
    asked = (
        'eval "$(ood-diffusion -sc install=bash)"; COMP_LINE="ood-diffusion solver=h" COMP_POINT=22 '
        'COMP_CWORD=1; hydra_bash_completion; echo "${COMPREPLY[@]}"'
    )
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", asked], env=environment_with(**path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "solver=heun\n", done.stderr
