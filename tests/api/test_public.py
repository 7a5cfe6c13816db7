"""The names that the package offers, and what importing it costs."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import ood_diffusion
from tests.runs.test_startup import HEAVY, imported


def test_every_name_is_there_and_is_what_a_type_checker_sees() -> None:
    checked = Path(ood_diffusion.__file__).read_text().partition("__version__")[0]
    for name in ood_diffusion.__all__:
        module = ood_diffusion._MODULE_OF[name]
        assert getattr(ood_diffusion, name) is getattr(import_module(f"ood_diffusion.{module}"), name)
        (line,) = (line for line in checked.splitlines() if name in line.replace(",", "").split())
        assert line.split()[:2] == ["from", f"ood_diffusion.{module}"]
    assert sorted(ood_diffusion._MODULE_OF) == ood_diffusion.__all__
    assert set(ood_diffusion.__all__) <= set(dir(ood_diffusion))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        _ = ood_diffusion.load_modle


def test_the_import_is_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import ood_diffusion; dir(ood_diffusion)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not imported(done.stderr) & HEAVY
