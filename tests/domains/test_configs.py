"""Every YAML of the group builds its domain, and says nothing the class does not know."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue
from PIL import Image

from ood_diffusion.domains.base import Domain

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "domain").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_builds_its_domain(path: Path, tmp_path: Path) -> None:
    for i in range(2):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / f"{i}.png")
    config = OmegaConf.create({"model": {"image_size": 24}, "domain": OmegaConf.load(path)})
    if OmegaConf.is_missing(config.domain, "path"):
        config.domain.path = str(tmp_path)
    domain = instantiate(config.domain)
    assert isinstance(domain, Domain) and domain.image_size == 24
    assert domain.render("held_out", 0).shape == (3, 24, 24)
    again = instantiate(config.domain)
    assert again.key("references", 0) == domain.key("references", 0)


def test_an_image_folder_needs_a_path() -> None:
    path = next(path for path in CONFIGS if path.stem == "image_folder")
    config = OmegaConf.create({"model": {"image_size": 24}, "domain": OmegaConf.load(path)})
    with pytest.raises(MissingMandatoryValue, match=r"domain\.path"):
        instantiate(config.domain)
