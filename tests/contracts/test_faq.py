"""Every message that docs/faq.md quotes is what the command beside it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ood_diffusion.cli import COMMANDS
from tests.cli import TINY, run_cli

PAGE = (Path(__file__).parents[2] / "docs" / "faq.md").read_text()
QUOTED = re.findall(r"```bash\nood-diffusion ([^\n]*)\n```\n\n```console\n(.*?)\n```", PAGE, re.DOTALL)


def test_every_block_is_a_command_with_its_message() -> None:
    assert len(QUOTED) >= 15
    assert PAGE.count("```") == 4 * len(QUOTED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands name: 40 images, and 40 of which one is text."""
    root = tmp_path_factory.mktemp("faq")
    rng = np.random.default_rng(0)
    for name in ("my_images", "broken"):
        (root / name).mkdir()
        for i in range(40):
            picture = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            picture.save(root / name / f"{i}.png")
    (root / "broken" / "7.png").write_bytes(b"dear diary")
    return root


@pytest.mark.parametrize(("command", "message"), QUOTED, ids=[command for command, _ in QUOTED])
def test_message(command: str, message: str, folder: Path) -> None:
    words = shlex.split(command)
    given = {word.split("=")[0] for word in words}
    small = [] if words[0] in COMMANDS else [*TINY, "stages=[invert,sample,evaluate]"]
    done = run_cli(folder, *words, *[word for word in small if word.split("=")[0] not in given])
    assert done.returncode == 2, done.stderr
    parts = [re.escape(" ".join(part.split())) for part in message.split("…")]
    assert re.search(r"\s?.*\s?".join(parts), " ".join(done.stderr.split())), done.stderr
