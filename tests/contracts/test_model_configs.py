"""Every model YAML composes, loads a checkpoint of the kind it names, and answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ood_diffusion.checks import UserError
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.runs.assemble import build
from ood_diffusion.runs.configuration import conf_folder
from tests.composed import composed
from tests.models.originals import adm, ddpm
from tests.models.originals.state import Shapes
from tests.models.test_originals import AFHQ, LEGACY
from tests.models.tiny_pipelines import save_ddpm, save_edm, save_ldm

NAMES = sorted(path.stem for path in (Path(conf_folder()) / "model").glob("*.yaml"))
SCHEDULES = sorted(path.stem for path in (Path(conf_folder()) / "schedule").glob("*.yaml"))
SMALL_ADM = [
    "model.image_size=32",
    "model.num_channels=64",
    "model.channel_mult=[1,2,2]",
    "model.num_res_blocks=1",
    "model.attention_resolutions=[16]",
    "model.num_head_channels=32",
]


def save(path: Path, shapes: Shapes) -> None:
    """A checkpoint of these shapes; zeros, because only names and shapes matter here."""
    torch.save({name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}, path)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full-size files where the YAMLs look for them."""
    folder = tmp_path_factory.mktemp("checkpoints")
    save(folder / "afhqdog_p2.pt", adm.layout(AFHQ))
    save(folder / "celeba_hq.ckpt", ddpm.layout())
    for name in ("bedroom.ckpt", "church_outdoor.ckpt"):
        (folder / name).hardlink_to(folder / "celeba_hq.ckpt")
    return folder


def guided(folder: Path) -> list[str]:
    save(folder / "a.pt", adm.layout(LEGACY))
    return [f"model.weights={folder}/a.pt", *SMALL_ADM]


def pipeline(folder: Path) -> list[str]:
    save_ddpm(folder / "p")
    return [f"model.path={folder}/p"]


def edm(folder: Path) -> list[str]:
    save_edm(folder / "p")
    return [f"model.path={folder}/p"]


def latent(folder: Path) -> list[str]:
    save_ldm(folder / "p", "vq")
    return [f"model.path={folder}/p"]


def own(folder: Path) -> list[str]:
    return ["model.network._target_=tests.models.test_torch_module.Own", "model.image_size=16"]


def imagenet(folder: Path) -> list[str]:
    """A small network at the full size of its images, whose attention is at half of it."""
    kept = [word for word in guided(folder) if "image_size" not in word and "attention" not in word]
    return [*kept, "model.attention_resolutions=[128]", "model.sha256=null"]


def nothing(folder: Path) -> list[str]:
    return []


PREPARE: dict[str, Callable[[Path], list[str]]] = {
    "afhq_dog_256": nothing,
    "cats_64": nothing,
    "density_64": nothing,
    "density_64_flow": nothing,
    "galaxies_64": nothing,
    "celebahq_256": nothing,
    "diffusers": pipeline,
    "edm": edm,
    "guided_diffusion": guided,
    "imagenet_256": imagenet,
    "latent_diffusion": latent,
    "lsun_bedroom_256": nothing,
    "lsun_church_256": nothing,
    "torch_module": own,
}


def test_no_model_is_left_out() -> None:
    assert sorted(PREPARE) == NAMES


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n.endswith("_256") else n for n in NAMES]
)
def test_model(name: str, checkpoints: Path, tmp_path: Path) -> None:
    overrides = [f"model={name}", f"checkpoints={checkpoints}", *PREPARE[name](tmp_path)]
    model: FrozenModel = build(composed(*overrides).model)
    side = 32 if name.endswith("_256") else model.state_shape[1]  # at their own size they take a minute
    x = torch.zeros(1, model.state_shape[0], side, side)
    eps = model.eps(x, 10.0)
    assert eps.shape == x.shape and bool(eps.isfinite().all())
    if name[-1].isdigit():
        channels = 1 if name.startswith("density") else 3
        assert model.image_shape == (channels, *[int(name.rpartition("_")[2])] * 2)
    assert model.schedule.timesteps == 1000


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_256")])
def test_a_checkpoint_that_is_not_there(name: str, tmp_path: Path) -> None:
    cfg = composed(f"model={name}", f"checkpoints={tmp_path}")
    with pytest.raises(
        UserError, match=rf"{tmp_path}/\w+\.(pt|ckpt) does not exist'. Set model\.weights; docs/models"
    ):
        build(cfg.model)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str, tmp_path: Path) -> None:
    overrides = ["model=torch_module", f"schedule@model.schedule={name}", *own(tmp_path)]
    schedule = build(composed(*overrides).model).schedule
    assert schedule.timesteps == 1000 and schedule.s(1000) > 10
