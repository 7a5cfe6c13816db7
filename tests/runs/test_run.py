"""A run: the same with other knobs in the same workspace; what is remembered, and looked at how often."""

import json
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ood_diffusion.checks import UserError
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import assemble, build
from ood_diffusion.runs.configuration import GROUPS
from ood_diffusion.runs.execute import run_stages
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.invert import invert
from tests.cli import QUICK, TINY
from tests.composed import composed
from tests.domains.trees import write


def made(folder: Path, *overrides: str) -> Run:
    cfg = deepcopy(composed(*TINY, "n_training=4", *overrides))
    cfg.store = f"{folder}/store"
    return assemble(cfg, dict.fromkeys(GROUPS, ""), folder, Ranks(partial(build, cfg.trainer)))


def test_other_knobs_the_same_parts_and_accounts(tmp_path: Path) -> None:
    run = made(tmp_path)
    extractor, held_out = run.extractor, run.held_out
    other = run.at(level=300, eta=0.5)
    assert other.levels[-1] == 300 and run.levels[-1] == 500 and other.settings.eta == 0.5
    assert other.model is run.model and other.extractor is extractor and other.held_out is held_out
    assert other.bank.folder != run.bank.folder
    other.workspace.items["made"] += 3
    assert run.workspace.items["made"] == 3  # what a stage's children make is on the stage's account


def test_a_subset_takes_the_place_of_the_references(tmp_path: Path) -> None:
    run = made(tmp_path)
    few = dict(list(run.references.items())[:3])
    other = run.at(subset=few)
    assert other.references == few and other.settings.n_references == 3
    assert other.at(level=300).references == few  # and stays in it
    assert len(run.references) == 12


def test_training_images_are_not_those_of_the_unseen_domain(tmp_path: Path) -> None:
    apart = made(tmp_path, "domain@training_domain=galaxies_sim", "training_domain.seed=1")
    assert len(apart.training_references) == 4
    same = made(tmp_path, "domain@training_domain=galaxies_sim")
    pair = "number 0 of references and number 0 of references, 4 in all"
    with pytest.raises(UserError, match=f"must not share a picture, but got 'the same pixels in {pair}"):
        _ = same.training_references


def twins(folder: Path, *names: str) -> None:
    """Files of the same pixels and other bytes."""
    image = Image.open(write(folder / "made.png", 100))
    (folder / "made.png").unlink()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        comment = PngInfo()
        comment.add_text("name", name)
        image.save(folder / name, pnginfo=comment)


FOLDER = ("domain=image_folder", "n_references=2", "n_held_out=9", "stages=[invert]", *QUICK)


def test_a_picture_in_two_files_counts_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "images"
    twins(folder, "a.png", "z.png", "y.bmp")
    for i in range(3):
        write(folder / f"b{i}.png", i)
    run = made(tmp_path, *FOLDER, f"domain.path={folder}", "domain.seed=null")
    with caplog.at_level("INFO"):
        assert (len(run.references), len(run.held_out)) == (
            2,
            1,
        )  # a b0 | b1 is not asked for | b2, not y and z
    assert not set(run.references) & set(run.held_out)
    assert f"Pixel-identical images in {folder}/a.png and {folder}/z.png count once" in caplog.text
    assert "1 of 3 held_out are pixel-identical to others and count once." in caplog.text


def test_nothing_but_copies_is_not_enough(tmp_path: Path) -> None:
    twins(tmp_path / "images", "a.png", "z.png")
    write(tmp_path / "images" / "b.png", 0)
    run = made(tmp_path, *FOLDER, f"domain.path={tmp_path}/images", "domain.seed=null")
    with pytest.raises(UserError, match=r"the same pixels in .*/a\.png and .*/z\.png'\. Remove one of each"):
        _ = run.held_out


def test_a_picture_in_two_files_of_declared_splits_is_an_error_that_names_both(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    twins(folder, "train/a.png", "test/z.bmp")
    for i, name in enumerate(("train/b.png", "test/c.png")):
        write(folder / name, i)
    run = made(tmp_path, *FOLDER, f"domain.path={folder}")
    pair = f"{folder}/train/a.png and {folder}/test/z.bmp"
    with pytest.raises(UserError, match=f"must not share a picture .*but got 'the same pixels in {pair}'"):
        _ = run.held_out


def test_blank_sketches_of_different_photos_count_once(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("RGB", (70, 70), (50 * i, 0, 0)).save(tmp_path / f"{i}.png")
    write(tmp_path / "4.png", 1)
    of = ["domain=sketches_of", "domain@domain.of=image_folder", f"domain.of.path={tmp_path}"]
    run = made(tmp_path, *FOLDER, *of, "domain.of.seed=null")
    assert len(run.references) == 1 and len(run.held_out) == 1


def test_what_the_solver_found_is_of_the_stage_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """12 references in 2 steps, whatever other levels and images go through the same solver."""
    solver = ["solver=fixed_point", "solver.max_iterations=1", "solver.tolerance=1e-9"]
    run = made(tmp_path, *QUICK, *solver, "batch_size=5")
    found = invert(run)
    assert found.not_converged == 24 and found.report()["iterations_mean"] == 1
    for other in (run.at(level=300), run.at(level=300, subset=dict(list(run.references.items())[:3]))):
        invert(other)
    assert invert(run).steps == 0  # as stages do that need the bank
    warned = [message for message in caplog.messages if "had not converged" in message]
    assert [message.split(" (")[0] for message in warned] == [
        f"fixed_point: 24 steps of an image had not converged, of 24 to level {level}" for level in (500, 300)
    ]


def test_a_batch_that_did_not_fit_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path, *QUICK, "batch_size=auto")
    whole, size = run.model.eps, run.batch_size

    def small(x: torch.Tensor, t: float, exact: bool = False) -> torch.Tensor:
        if len(x) == min(size, 12):
            raise torch.OutOfMemoryError
        return whole(x, t, exact)

    kept = tmp_path / "store" / "batch_sizes"
    assert len(list(kept.glob("*.json"))) == 1
    monkeypatch.setattr(run.model, "eps", small)
    invert(run)
    assert not run.bank.missing(list(run.references))
    assert list(kept.glob("*.json")) == []


def test_weights_are_looked_at_when_the_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And once for the address of what it makes, not after every stage: they may be gigabytes."""
    words = [*QUICK, "stages=[invert,reconstruct,sample]", "output=quiet"]
    run, digest, taken = made(tmp_path, *words), FrozenModel.digest, list[str]()
    before = run.model.digest()
    monkeypatch.setattr(FrozenModel, "digest", lambda self: taken.append(digest(self)) or taken[-1])
    run_stages(composed(*TINY, *words, f"store={tmp_path}/store"), run, before)
    assert taken == [before] * 2
    assert json.loads((tmp_path / "results.json").read_text())["weights"] == {
        "before": before,
        "after": before,
    }
