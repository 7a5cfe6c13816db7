"""The settings compose into cfg.metric.<name> and build."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "metric").glob("*.yaml"))


@pytest.fixture
def config(tmp_path):
    """A root that selects every metric, beside copies of the project's own groups."""
    groups = f"defaults:\n  - extractor: efficientnet_lite0\n  - metric: [{', '.join(NAMES)}]\n  - _self_\n"
    (tmp_path / "config.yaml").write_text(groups)
    for group in ("extractor", "metric"):
        (tmp_path / group).symlink_to(CONF / group)
    with initialize_config_dir(str(tmp_path), version_base=None):
        yield compose("config")


def test_metrics_compose_by_name_and_build(config):
    assert sorted(config.metric) == sorted(NAMES)
    for part in config.metric.values():
        metric = instantiate(part)
        shape = (40, 3) if metric.takes == "features" else (40, 3, 32, 32)
        new, real = (torch.rand(shape, generator=torch.Generator().manual_seed(i)) for i in range(2))
        if metric.takes == "images":
            new, real = (255 * new).to(torch.uint8), (255 * real).to(torch.uint8)
        metric.bind(real[:3])
        metric.update(real, real=True)
        metric.update(new, real=False)
        assert all(value.ndim == 0 for value in metric.compute().values())


def test_extractor_builds(config):
    assert instantiate(config.extractor).name == "efficientnet_lite0_128"


def test_every_setting_is_an_argument():
    for path in [*CONF.glob("metric/*.yaml"), *CONF.glob("extractor/*.yaml")]:
        assert OmegaConf.load(path)["_target_"].startswith("ood_diffusion.metrics."), path
