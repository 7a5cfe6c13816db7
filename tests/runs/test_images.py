"""Pictures that a network draws: as few calls as can be, all of them counted, on the Trainer's device."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.drawing import BLOCK
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.model_samples import ModelSamples
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.lightning.progress import Meter
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.report.plan.work import Calls, spent, total
from ood_diffusion.runs import images
from ood_diffusion.runs.execute import run_stages
from ood_diffusion.runs.images import stored_split
from ood_diffusion.runs.plan import plan_run
from ood_diffusion.storage.store import TensorStore
from tests.cli import QUICK, TINY
from tests.composed import composed
from tests.lightning.networks import gaussian_model
from tests.runs.test_run import made

STEPS = 3
DRAWN = [
    "model@domain.model=torch_module",
    "domain.model.network._target_=tests.lightning.networks.GaussianNetwork",
    "domain.model.image_size=64",
    f"domain.steps={STEPS}",
]
HERE = torch.device("cpu:0")
RANKS = cast(Ranks, SimpleNamespace(device=HERE))


def domain(model: FrozenModel) -> ModelSamples:
    return ModelSamples(8, model, DDIM(), uniform_lambda, steps=STEPS)


def store(folder: Path) -> TensorStore:
    return TensorStore(folder, "pictures", {}, torch.uint8)


def test_a_few_pictures_cost_a_few_and_many_are_drawn_in_blocks(tmp_path: Path) -> None:
    """What was drawn beyond those asked for is there when it is wanted."""
    model = gaussian_model()
    for n, more in ((2, 2), (5, 3), (BLOCK, BLOCK - 5), (BLOCK + 1, BLOCK), (2 * BLOCK, 0), (BLOCK + 3, 0)):
        before = model.network_calls
        assert len(stored_split(domain(model), store(tmp_path), "references", n, RANKS)) == n
        assert model.network_calls - before == STEPS * more, n


def test_a_block_of_which_a_part_is_lost_comes_back_the_same(tmp_path: Path) -> None:
    whole, part = store(tmp_path / "whole"), store(tmp_path / "part")
    drawn, n = domain(gaussian_model()), 2 * BLOCK
    found = stored_split(drawn, whole, "references", n, RANKS)
    kept = [drawn.address("references", i) for i in range(BLOCK, n, 2)]
    part.write(kept, whole.read(kept))
    assert stored_split(domain(gaussian_model()), part, "references", n, RANKS) == found


@pytest.mark.parametrize("sketched", [False, True])
def test_they_are_drawn_where_the_trainer_computes(tmp_path: Path, sketched: bool) -> None:
    model, places = gaussian_model(), []
    move = model.to
    model.to = lambda device: (places.append(device), move(device))  # type: ignore[assignment, method-assign]
    drawn: Domain = domain(model)
    if sketched:
        drawn = SketchesOf(8, lambda image_size: domain(model))
    stored_split(drawn, store(tmp_path), "references", 3, RANKS)
    assert places == [HERE, torch.device("cpu")]


def test_what_fails_leaves_the_model_on_the_cpu() -> None:
    drawing = domain(gaussian_model()).drawing
    with pytest.raises(RuntimeError), drawing.on(HERE):
        raise RuntimeError
    assert drawing.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("choice", "references", "held_out", "drawn"),
    [
        (["domain=model_samples", *DRAWN], 2, 3, 5),
        (["domain=own_samples", *DRAWN[3:]], 3, 4, 7),
        (["domain=model_samples", *DRAWN], 2, BLOCK + 1, 2 + 2 * BLOCK),
        (["domain=sketches_of", "domain@domain.of=model_samples",
          *(word.replace("domain.", "domain.of.") for word in DRAWN)], 2, 3, 5),
    ],
)  # fmt: skip
def test_drawing_is_counted_where_the_run_and_its_plan_say_what_it_costs(
    tmp_path: Path, choice: list[str], references: int, held_out: int, drawn: int
) -> None:
    words = [*QUICK, *choice, "output=quiet", "batch_size=1"]
    words += [f"n_references={references}", f"n_held_out={held_out}", "stages=[invert]"]
    cfg = composed(*TINY, *words, f"store={tmp_path}/store")
    for expected in (drawn * STEPS, 0):  # the second run finds all of it
        run = made(tmp_path, *words)
        plan = plan_run(run)
        cost = spent([plan])[0]
        assert cost["pictures"] == Calls(expected, expected)
        run_stages(cfg, run, run.model.digest())
        calls = run.workspace.cost["network_calls"]
        assert calls["pictures"] == expected
        assert total([cost]) == Calls(sum(calls.values()), sum(calls.values()))


def test_the_training_domains_drawing_is_on_the_account_of_the_stage_that_wants_it(tmp_path: Path) -> None:
    words = [word.replace("domain.", "training_domain.") for word in DRAWN[1:]]
    words += ["domain@training_domain=model_samples", "model@training_domain.model=torch_module"]
    run = made(tmp_path, *QUICK, *words)  # n_training=4
    with run.workspace.accounted("interference", run.network_calls):
        assert len(run.training_references) == 4
    assert run.workspace.cost["network_calls"] == {"interference": 4 * STEPS}


def test_the_progress_line_counts_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meters: list[Meter] = []

    class Watched(Meter):
        def __enter__(self) -> Meter:
            meters.append(self)
            return super().__enter__()

    monkeypatch.setattr(images, "Meter", Watched)
    model = gaussian_model()
    model.network_calls = 7  # of before
    stored_split(domain(model), store(tmp_path), "held_out", 3, RANKS)
    stored_split(GalaxiesSim(8), store(tmp_path), "held_out", 3, RANKS)
    assert [meter.task.fields["calls"] for meter in meters] == [3 * STEPS, None]
