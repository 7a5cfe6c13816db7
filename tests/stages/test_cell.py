"""`Cell.at`: the same cell with other knobs, whose findings are its own."""

from functools import partial
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from ood_diffusion.checks import UserError
from ood_diffusion.cli import GROUPS, conf_folder
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.stages.assemble import assemble, build
from ood_diffusion.stages.cell import Cell
from tests.cli import TINY


def made(folder: Path, *overrides: str) -> Cell:
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        cfg = compose("config", [*TINY, f"store={folder}/store", "n_training=4", *overrides])
    return assemble(cfg, dict.fromkeys(GROUPS, ""), folder, Ranks(partial(build, cfg.trainer)))


def test_other_knobs_the_same_parts_and_results_of_its_own(tmp_path: Path) -> None:
    cell = made(tmp_path)
    cell.results["found"], extractor, held_out = 1, cell.extractor, cell.held_out
    other = cell.at(level=300, eta=0.5)
    assert other.levels[-1] == 300 and cell.levels[-1] == 500 and other.settings.eta == 0.5
    assert other.model is cell.model and other.extractor is extractor and other.held_out is held_out
    assert other.results == {} and cell.results == {"found": 1}
    assert other.bank.folder != cell.bank.folder
    other.made["images"] += 3
    assert cell.made["images"] == 3  # what a stage's children make is on the stage's account


def test_what_a_change_touches_is_found_out_anew(tmp_path: Path) -> None:
    cell = made(tmp_path)
    assert len(cell.held_out) == 16 and len(cell.at(n_held_out=8).held_out) == 8


def test_a_subset_takes_the_place_of_the_references(tmp_path: Path) -> None:
    cell = made(tmp_path)
    few = dict(list(cell.references.items())[:3])
    other = cell.at(subset=few)
    assert other.references == few and other.settings.n_references == 3
    assert other.at(level=300).references == few  # and stays in it
    assert len(cell.references) == 12


def test_training_images_are_not_those_of_the_unseen_domain(tmp_path: Path) -> None:
    apart = made(tmp_path, "domain@training_domain=galaxies_sim", "training_domain.seed=1")
    assert len(apart.training_references) == 4
    same = made(tmp_path, "domain@training_domain=galaxies_sim")
    with pytest.raises(UserError, match="4 shared pictures"):
        _ = same.training_references
