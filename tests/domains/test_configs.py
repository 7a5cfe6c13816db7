"""What the YAMLs of the group and the page on data say. That each builds and renders: tests/contracts."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from ood_diffusion.checks import UserError
from ood_diffusion.domains.array import Array
from ood_diffusion.runs.assemble import build
from tests.composed import composed
from tests.domains.data_sets import TREES, prepared

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / "conf" / "domain").glob("*.yaml"))
PAGE = (ROOT / "docs" / "data.md").read_text()
COMMANDS = re.findall(r"^ood-diffusion (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", TREES)
def test_without_its_data_a_domain_says_where_they_should_be(name: str, tmp_path: Path) -> None:
    cfg = composed(f"domain={name}", f"data={tmp_path}")
    with pytest.raises(
        UserError, match=rf"domain\.path must exist, but got '{cfg.domain.path}'\. .*docs/data\.md"
    ):
        build(cfg.domain, image_size=24)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("image_folder", {"path"}),
        ("image_zip", {"path"}),
        ("hub_dataset", {"name"}),
        ("array", {"path", "axes", "low", "high"}),
    ],
)
def test_what_only_the_user_knows_must_be_stated(name: str, keys: set[str]) -> None:
    cfg = composed(f"domain={name}")
    assert OmegaConf.missing_keys(cfg.domain) == {f"domain.{key}" for key in keys}
    with pytest.raises(MissingMandatoryValue, match=r"domain\."):
        build(cfg.domain, image_size=24)


def test_radiation_fields_come_back_in_their_unit(tmp_path: Path) -> None:
    domain = build(
        composed("domain=radiation_field", *prepared("radiation_field", tmp_path)).domain, image_size=16
    )
    assert isinstance(domain, Array) and domain.physical_scale is not None
    back = domain.physical_scale.to_physical(domain.render("references", 0)).numpy()
    file = tmp_path / "radiation_field" / domain.name("references", 0)
    values = fits.getdata(file) if file.suffix == ".fits" else np.load(file)
    assert back.shape == (3, 16, 16) and np.allclose(back, np.clip(values, 0.01, 1000), rtol=1e-6)


def test_the_page_on_data_says_where_each_belongs() -> None:
    for name in CONFIGS:
        assert f"`{name}`" in PAGE
    for name in TREES:
        folder = Path(yaml.safe_load((ROOT / f"conf/domain/{name}.yaml").read_text())["path"]).name
        assert f"data/{folder}/" in PAGE or f"─ {folder}/" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_exist(command: str) -> None:
    assert not OmegaConf.missing_keys(composed(*shlex.split(command)).domain)
