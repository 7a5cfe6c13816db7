"""A network that changes its weights while it is used: nothing that it made may be found."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ood_diffusion import evaluate, invert
from ood_diffusion.checks import UserError
from ood_diffusion.metrics.base import FeatureExtractor
from ood_diffusion.models.base import FrozenModel
from ood_diffusion.storage.stores import Stores
from tests.cli import TINY, run_cli
from tests.lightning.networks import GaussianNetwork, gaussian_model

IMAGES = torch.randint(0, 256, (9, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
QUIET = ["model=torch_module", "model.image_size=64", "stages=[invert,reconstruct,sample]"]


class Restless(GaussianNetwork):
    """Its weights change in the fourth call with a whole batch of a run, which no probe makes."""

    asked = 0
    change = 4

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        self.asked += len(x) == 4
        if self.asked >= self.change:
            self.deviation += 1e-3
        return super().forward(x, timestep)


class Late(Restless):
    """As `Restless`, when the references have been inverted (6 calls) and are reconstructed."""

    change = 10


class Broken(Restless):
    """As `Restless`, and fails in the next call."""

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        if self.asked > self.change:
            raise RuntimeError("broken")
        return super().forward(x, timestep)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["Restless", "Late", "Broken"])
def test_the_same_command_again_is_refused_again(name: str, tmp_path: Path) -> None:
    command = [*QUIET, f"model.network._target_=tests.runs.test_void.{name}", *TINY]
    for _ in range(2):
        done = run_cli(tmp_path, *command)
        assert done.returncode in (1, 2)
        assert name == "Broken" or "the frozen weights changed" in done.stderr
        assert shards(tmp_path) == []
    assert list(tmp_path.rglob("results.json")) == []


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    command = [*QUIET, *TINY, "model.network._target_=tests.lightning.networks.GaussianNetwork"]
    assert run_cli(tmp_path, *command).returncode == 0
    before = {path: path.read_bytes() for path in shards(tmp_path)}
    void = [*QUIET, *TINY, "model.network._target_=tests.runs.test_void.Late", "n_references=14"]
    assert run_cli(tmp_path, *void).returncode == 2
    assert before and {path: path.read_bytes() for path in shards(tmp_path)} == before


def test_a_call_from_python_leaves_nothing(tmp_path: Path) -> None:
    model = FrozenModel(Restless(), gaussian_model().schedule, (3, 8, 8), "epsilon", {})
    with pytest.raises(UserError, match="frozen weights changed"):
        invert(model, IMAGES, steps=6, batch_size=4, store=tmp_path)
    assert shards(tmp_path) == []


class Drifting(FeatureExtractor):
    def __init__(self) -> None:
        super().__init__("drifting", 4, torch.nn.Linear(3, 4))

    def features(self, images: Tensor) -> Tensor:
        self.network.weight += 1  # type: ignore[operator]
        return self.network(images.float().mean(dim=(2, 3)))  # type: ignore[no-any-return]


def test_an_extractor_that_changes_is_refused(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match="weights of the extractor drifting changed"):
            evaluate(IMAGES, IMAGES.flip(0), extractor=Drifting(), metric=["fid"], store=tmp_path)
        assert shards(tmp_path) == []


def test_only_what_was_asked_for_is_withdrawn(tmp_path: Path) -> None:
    rows = torch.zeros(2, 1)
    Stores(tmp_path).open("latents", {}, torch.float32).write(["a", "b"], rows)
    void, other = Stores(tmp_path), Stores(tmp_path)
    handle = void.open("latents", {}, torch.float32)
    handle.fill(["a", "c", "d"], lambda ids: other.open("latents", {}, torch.float32).write(ids, rows))
    handle.write(["d", "e"], rows)
    other.open("latents", {}, torch.float32).write(["f", "g"], rows)
    void.check_writable(tmp_path / "training")
    (tmp_path / "training").mkdir()
    void.withdraw()
    left = Stores(tmp_path).open("latents", {}, torch.float32)
    assert left.missing(list("abcdefg")) == ["c", "d", "e"]
    assert not (tmp_path / "training").exists()
