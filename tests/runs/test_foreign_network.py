"""A one-channel network of somebody else's that takes integers only: digits it knows, letters it does not."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.cli import MEANS, TINY, results, run_cli
from tests.models.digits import digits, letters, train

MODEL = [
    "model=torch_module",
    "model.network._target_=tests.models.digits.DigitsNetwork",
    "model.weights=digits.pt",
    "model.shape=[1,28,28]",
]
PAGE = (Path(__file__).parents[2] / "docs" / "fields.md").read_text()
WHOLE = "model.timesteps=integer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreign")
    train(folder)
    np.save(folder / "digits.npy", digits()[:40])
    np.save(folder / "letters.npy", letters(40))
    (folder / "my_module.py").write_text("from tests.models.digits import DigitsNetwork\n")
    (folder / "my_conf/model").mkdir(parents=True)
    (setting,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (folder / "my_conf/model/digits.yaml").write_text(setting)
    return folder


def test_the_page_says_how(folder: Path) -> None:
    (line,) = re.findall(r"^python -m ood_diffusion (.*)$", PAGE, re.MULTILINE)
    done = run_cli(folder, *shlex.split(line), *TINY, *MEANS, "stages=[invert]", "hydra.run.dir=page")
    assert done.returncode == 0, done.stderr


def asked(kind: str, *more: str) -> list[str]:
    domain = ["domain=array", f"domain.path={kind}.npy", "domain.axes=NHW", "domain.low=0", "domain.high=16"]
    return [*TINY, *MODEL, *MEANS, *domain, "steps=16", "hydra.run.dir=" + kind, *more]


@pytest.mark.parametrize("kind", ["digits", "letters"])
def test_the_main_job_on_what_it_knows_and_what_it_does_not(kind: str, folder: Path) -> None:
    done = run_cli(folder, *asked(kind, WHOLE, "level=300"))
    assert done.returncode == 0, done.stderr
    assert "accepts only whole timesteps" not in done.stderr
    found = results(folder / kind)[0]
    assert found["reconstruct"]["psnr_mean"] > 25, "inverted and back"
    assert found["metrics"]["sets"]["samples"]["fid"] > 0
    assert found["reconstruct"]["physical"]["unit"] == "data units"


def test_without_a_word_on_its_timesteps_it_is_refused_with_the_setting_that_helps(folder: Path) -> None:
    done = run_cli(folder, *asked("refused"), "domain.path=digits.npy")
    assert done.returncode == 2
    assert "model.timesteps=integer" in done.stderr and "Traceback" not in done.stderr
    done = run_cli(folder, *asked("refused"), "domain.path=digits.npy", "model.timesteps=whole")
    assert done.returncode == 2 and "model.timesteps must be one of" in done.stderr
