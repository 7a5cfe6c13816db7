"""What `composed` puts together is what Hydra composes."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from ood_diffusion.runs.configuration import conf_folder
from tests.cli import GATED, MEANS, TINY
from tests.composed import composed


@pytest.mark.parametrize(
    "words",
    [
        [*TINY, *GATED, *MEANS, "store=/a b", "stages=[invert]", "stage.few_shot={counts:[4],repeats:2}"],
        ["domain=radiation_sim", "solver=heun", "grid=karras", "prior=kde", "sampler=draw", "view=grey"],
        [
            "sampler=slerp",
            "experiment=paper",
            "sampler.points=3",
            "domain@training_domain=galaxies_sim",
        ],
    ],
)
def test_a_configuration_is_the_commands(words: list[str]) -> None:
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        theirs = compose("config", words, return_hydra_config=True)
    assert composed(*words, hydra=True).hydra.runtime.choices == theirs.hydra.runtime.choices
    with open_dict(theirs):
        del theirs["hydra"]
    assert OmegaConf.to_container(composed(*words)) == OmegaConf.to_container(theirs)
