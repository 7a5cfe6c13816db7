"""The settings compose into cfg.metric.<name> and build."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
NAMES = ["fid", "kid", "prdc"]


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
        for side in (True, False):
            metric.update(torch.rand(8, 3), real=side)
        assert all(value.ndim == 0 for value in metric.compute().values())


def test_extractor_builds(config):
    assert instantiate(config.extractor).name == "efficientnet_lite0_128"


def test_every_setting_is_an_argument():
    for path in [*CONF.glob("metric/*.yaml"), *CONF.glob("extractor/*.yaml")]:
        assert OmegaConf.load(path)["_target_"].startswith("ood_diffusion.metrics."), path
