"""The stage `preservation`, fine-tuning included: small through the real command, and its laws."""

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ood_diffusion.checks import UserError
from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.grids import uniform_lambda
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.model_samples import ModelSamples
from ood_diffusion.domains.sketches_of import SketchesOf
from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.lightning.training import DenoiserTraining
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.storage.store import TensorStore
from ood_diffusion.storage.stores import Stores
from ood_diffusion.study.preservation import finetune
from ood_diffusion.study.preservation.finetune import StepBatches, tuned_copy
from ood_diffusion.study.preservation.images import own_images
from ood_diffusion.study.preservation.settings import FinetuneSettings, PreservationSettings
from ood_diffusion.study.preservation.stage import drawn_by
from ood_diffusion.study.sdedit import noised
from tests.cli import MEANS, QUICK, TINY, results, run_cli
from tests.lightning.networks import gaussian_model
from tests.storage.test_damage import emptied, flipped, foreign

SMALL = [
    *TINY,
    *QUICK,
    *MEANS,
    "stages=[preservation]",
    "n_training=4",
    "domain@training_domain=radiation_sim",
    "stage.preservation.n_own=4",
    "stage.preservation.sdedit_levels=[300,600]",
]
TUNED = [
    "baseline=finetune",
    "stage.preservation.finetune.budgets=[1]",
    "stage.preservation.finetune.batch_size=4",
]
SETTINGS = FinetuneSettings([1], 3, 4, 1e-2, 0.1, "32-true", 1.0, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preservation")
    done = run_cli(folder, *SMALL, *TUNED)
    assert done.returncode == 0, done.stderr
    return folder


def test_figures_pictures_and_costs(folder: Path) -> None:
    (r,) = results(folder)
    found = r["preservation"]
    assert found["own"]["n"] == 4 and found["own"]["differing"] == 0
    assert [each["level"] for each in found["sdedit"]] == [300, 600]
    (copy,) = found["finetune"]["copies"]
    assert found["finetune"]["job_calls"] == 12 * 2 + 8 * 2
    assert copy["steps"] == 3 and copy["training_calls"] == 3 * 4 * 3  # 40 calls are 13.3 images
    assert copy["weights"] != r["weights"]["before"] == r["weights"]["after"]
    assert copy["n"] == found["ours"]["n"] == found["sdedit"][0]["n"] == 8
    for check in found["checks"]:
        assert check["claim"] in {"baseline", "C8"}
        assert any(folder.rglob(check["picture"]))
    assert len(found["checks"]) >= 5
    sdedit, own, models = 2 * 8 * 2, 2 * 4 * 2, 2 * 8 * 2
    assert r["cost"]["network_calls"]["preservation"] == 40 + sdedit + own + models


def test_again_trains_nothing_and_finds_the_same_but_draws_own_images_anew(folder: Path) -> None:
    (weights,) = (folder / "outputs" / "store" / "finetuned").rglob("*.safetensors")
    assert not list(weights.parent.glob("*.ckpt"))
    before = weights.stat().st_mtime_ns
    done = run_cli(folder, *SMALL, *TUNED)
    assert done.returncode == 0, done.stderr
    first, second = results(folder)
    assert weights.stat().st_mtime_ns == before
    assert second["preservation"] == first["preservation"]
    assert second["cost"]["network_calls"] == {"preservation": 2 * 4 * 2}


def test_without_the_baseline_nothing_is_tuned(folder: Path) -> None:
    done = run_cli(folder, *SMALL, "hydra.run.dir=plain")
    assert done.returncode == 0, done.stderr
    (r,) = results(folder / "plain")
    assert "finetune" not in r["preservation"]
    assert not (folder / "plain" / "preservation.svg").exists()
    assert (folder / "plain" / "preservation_sdedit.svg").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["baseline=finetune", "stages=[sample]"], "baseline=finetune needs the stage preservation"),
        (["baseline=finetune", "trainer.devices=2"], "baseline=finetune runs on one device, but got 2"),
        (["stage.preservation.sdedit_levels=[1200]"], "stage.preservation.sdedit_levels: 1200"),
        (["steps=400"], "steps must not exceed the level (300), but got 400"),
        (["n_training=1"], "n_training to be at least 2"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_at_once(tmp_path: Path, overrides: list[str], message: str) -> None:
    done = run_cli(tmp_path, *SMALL, *overrides, "dry_run=true")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr


def test_settings_check_themselves() -> None:
    with pytest.raises(UserError, match="budgets must hold positive numbers"):
        replace(SETTINGS, budgets=[0, 1])
    with pytest.raises(UserError, match=r"warmup must lie in \[0, 1\]"):
        replace(SETTINGS, warmup=2)
    with pytest.raises(UserError, match="precision must be one of 32-true, bf16-mixed, 16-mixed"):
        replace(SETTINGS, precision="bf16")
    with pytest.raises(UserError, match="gradient_clip must be positive"):
        replace(SETTINGS, gradient_clip=0.0)
    with pytest.raises(UserError, match="distinct levels"):
        PreservationSettings(16, [300, 300], 0.05, None)
    with pytest.raises(UserError, match="n_own must be an integer of at least 1"):
        PreservationSettings(0, [300], 0.05, None)
    with pytest.raises(UserError, match="finetune must be whole or null"):  # ten_shot with baseline=none
        PreservationSettings(16, [300], 0.05, {"budgets": [1]})  # type: ignore[arg-type]


@pytest.mark.parametrize(("calls", "steps", "warmup"), [(0, 1, 1), (120, 10, 1), (1200, 100, 10)])
def test_a_budget_becomes_steps_of_three_calls_an_image(calls: int, steps: int, warmup: int) -> None:
    training = SETTINGS.training(calls)
    assert (training.max_steps, training.warmup_steps) == (steps, warmup)
    assert training.learning_rate == 1e-2 and not training.from_scratch and training.ema_decay == 0


def test_ten_shot_compares_diversity_with_the_twin_and_every_baseline(tmp_path: Path) -> None:
    own = [word for word in SMALL if not word.startswith(("stages=", "n_references="))]
    done = run_cli(
        tmp_path,
        "experiment=ten_shot",
        *own,
        "n_samples=48",
        "n_held_out=80",
        "steps=8",
        "stage.preservation.sdedit_levels=[20]",
    )
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    assert r["coordinates"]["n_references"] == 10
    sets, found = r["metrics"]["sets"], r["preservation"]
    assert sets["twin"]["intra_cluster"] > 0
    assert found["ours"]["intra_cluster"]["value"] == pytest.approx(sets["samples"]["intra_cluster"])
    against = [c["against"] for c in found["checks"] if c["figure"].startswith("distance between new images")]
    assert against[0].startswith("SDEdit at level") and found["sdedit"][0]["intra_cluster"]["value"] > 0
    (copy,) = found["finetune"]["copies"]
    assert copy["budget"] == 1 and (len(against) == 2) is (copy.get("intra_cluster") is not None)


class Network(nn.Module):
    """With dropout, so that a training depends on PyTorch's global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Conv2d(3, 3, 3, padding=1), nn.Dropout(0.2)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        return self.layer(self.dropout(x)) + timestep.reshape(-1, 1, 1, 1) / 1000


def small_run(root: Path) -> Any:
    """What fine-tuning and drawing ask of a run, with a network of one layer and ten random images."""
    torch.manual_seed(0)
    model = FrozenModel(Network(), Schedule.linear(), (3, 8, 8), "v_prediction", {})
    pictures = TensorStore(root, "pictures", {}, torch.uint8)
    ids = {str(i): str(i) for i in range(10)}
    pictures.write(list(ids), torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8))
    trainer = partial(
        pl.Trainer, accelerator="cpu", logger=False, enable_model_summary=False, enable_progress_bar=True
    )
    return SimpleNamespace(
        model=model,
        dtype=torch.uint8,
        settings=SimpleNamespace(seed=3, precision="fp32", compile=False, n_samples=6, eta=0.0),
        pictures=pictures,
        references=ids,
        held_out=ids,
        workspace=SimpleNamespace(ranks=Ranks(trainer), stores=Stores(root)),
        batch_size=4,
    )


def test_damaged_weights_are_tuned_again(tmp_path: Path) -> None:
    settings = SETTINGS.training(7 * 4 * 3)
    first = tuned_copy(small_run(tmp_path), settings).digest()
    (weights,) = tmp_path.rglob("weights.safetensors")
    for damage in (flipped, emptied, foreign):
        damage(weights)
        assert finetune.read_weights(weights) is None
        assert tuned_copy(small_run(tmp_path), settings).digest() == first
        assert finetune.read_weights(weights) is not None


def test_a_killed_training_ends_at_the_weights_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.training(7 * 4 * 3)
    assert settings.max_steps == 7
    whole = tuned_copy(small_run(tmp_path / "whole"), settings)
    run, step, done = small_run(tmp_path / "killed"), DenoiserTraining.training_step, []

    def fragile(self: DenoiserTraining, images: Tensor, batch_idx: int) -> Tensor:
        done.append(batch_idx)
        if len(done) == 6:
            raise RuntimeError("pulled the plug")
        return step(self, images, batch_idx)

    monkeypatch.setattr(DenoiserTraining, "training_step", fragile)
    with pytest.raises(RuntimeError, match="plug"):
        tuned_copy(run, settings)
    assert list(tmp_path.glob("killed/finetuned/*/last.ckpt"))
    resumed = tuned_copy(run, settings)
    assert len(done) == 6 + 3  # from the checkpoint after step 4
    assert resumed.digest() == whole.digest() != run.model.digest()

    monkeypatch.setattr(finetune, "fit", None)
    assert tuned_copy(run, settings).digest() == whole.digest()  # found, not trained


def test_the_tuned_copy_is_a_frozen_model_of_its_own(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    before = run.model.digest()
    tuned = tuned_copy(run, SETTINGS.training(12))
    assert run.model.digest() == before
    assert tuned.recipe() != run.model.recipe()
    assert not tuned.network.training and not any(p.requires_grad for p in tuned.parameters())
    assert not run.model.network.training and not any(p.requires_grad for p in run.model.parameters())


def test_batches_depend_on_the_step_alone_and_use_all_items_equally() -> None:
    def batches(start: int, count: int) -> list[list[int]]:
        return list(islice(StepBatches(10, 4, 0, lambda: start), count))

    whole = batches(0, 15)
    assert whole[6:9] == batches(6, 3)
    flat = [i for batch in whole for i in batch]
    assert all(flat.count(i) == 6 for i in range(10))
    assert flat[:10] != flat[10:20] and sorted(flat[:10]) == list(range(10))


def test_own_images_show_a_changed_weight_and_nothing_else(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    run.solver = DDIM()
    run.at = lambda level: SimpleNamespace(levels=uniform_lambda(run.model.schedule, level, 3))
    first = own_images(run, 6)
    assert first.shape == (6, 3, 8, 8) and first.dtype == torch.uint8
    assert torch.equal(first, own_images(run, 6))
    assert torch.equal(first[:4], own_images(run, 4))
    with torch.no_grad():
        run.model.network.layer.weight += 0.1
    assert not torch.equal(first, own_images(run, 6))


def test_sdedit_noises_by_the_marginal_with_the_same_noise_at_every_level() -> None:
    schedule = Schedule.linear()

    def at(level: float, x0: Tensor) -> Tensor:
        run: Any = SimpleNamespace(
            levels=[0.0, level], model=SimpleNamespace(schedule=schedule), settings=SimpleNamespace(seed=1)
        )
        return noised(run, x0, range(len(x0)))

    x0 = torch.stack([torch.full((3, 8, 8), value) for value in (-0.5, 0.5)])[[0, 1] * 50]
    noise = []
    for level in (300.0, 700.0):
        drawn = at(level, x0)
        noise.append((drawn - schedule.alpha(level) * x0) / schedule.sigma(level))
    assert torch.allclose(noise[0], noise[1], atol=1e-5)
    assert abs(float(noise[0].mean())) < 0.03 and abs(float(noise[0].std()) - 1) < 0.02
    assert not torch.allclose(noise[0][0], noise[0][2])  # one reference, two draws


def test_a_model_knows_its_own_pictures_by_weights_not_by_object() -> None:
    def drawn_with(deviation: float) -> ModelSamples:
        return ModelSamples(8, gaussian_model(deviation), DDIM(), uniform_lambda)

    model = gaussian_model(0.4)
    assert drawn_by(drawn_with(0.4), model) and not drawn_by(drawn_with(0.5), model)
    assert drawn_by(SketchesOf(8, lambda image_size: drawn_with(0.4)), model)
    assert not drawn_by(GalaxiesSim(8), model)
