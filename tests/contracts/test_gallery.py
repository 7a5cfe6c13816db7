"""The gallery: what its builder makes of a page. `make docs` runs all pages as they stand."""

import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from ood_diffusion.cli import COMMANDS
from tests.cli import MEANS, QUICK, ROOT, TINY, run_cli

PAGES = ROOT / "docs" / "gallery"


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")  # as mkdocs does for its hooks
    return import_module("gallery")


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], str]:
    """What commands print with fewer images, and a network and features that cost nothing."""
    less = {word.split("=")[0]: word for word in TINY}

    def printed(commands: str, folder: Path) -> str:
        program, *words = shlex.split(commands)
        if program == "python":
            monkeypatch.chdir(folder)
            exec(Path(words[0]).read_text(), {"__name__": "__main__"})
            return ""
        if words[0] not in COMMANDS:
            words = [less.get(word.split("=")[0], word) for word in words]
            words += [*(word for word in TINY if word not in words), *MEANS, *QUICK]
        done = run_cli(folder, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return printed


def test_a_page_shows_what_its_commands_print_and_draw(
    gallery: ModuleType, quickly: Callable[[str, Path], str], tmp_path: Path
) -> None:
    source = (PAGES / "own_images.md").read_text()
    page, pictures = gallery.executed(source, "own_images", tmp_path, quickly)
    for said in ("Dry run: nothing was computed.", "FID minus twin", "8 samples: "):
        assert said in page and said not in source
    assert page.count("```text") == page.count("```bash") - 1  # the script that makes images says nothing
    ((name, content),) = pictures.items()
    assert f"]({name})" in page and content == (tmp_path / "outputs/runs/mine/samples.png").read_bytes()


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"^\* \[.+\]\((\w+)\.md\)", (PAGES / "index.md").read_text(), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(path.stem for path in PAGES.iterdir())


def test_what_a_command_printed_is_shown_without_the_place(gallery: ModuleType, tmp_path: Path) -> None:
    assert gallery.printed("echo; echo ' ' $PWD/a; echo b >&2", tmp_path) == "  a"
    assert gallery.printed("echo b >&2", tmp_path) == "b"
    assert gallery.printed("true", tmp_path) == ""


@pytest.mark.parametrize("commands", ["cat 'not there'\necho ok", "cat 'not there' | tail"])
def test_a_command_that_fails_ends_the_build(commands: str, gallery: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(gallery.PluginError, match="not there"):
        gallery.printed(commands, tmp_path)
