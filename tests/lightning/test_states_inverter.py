"""States on the way are those of inversions that end there."""

import torch

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.lightning.trajectory import Inverter, StatesInverter
from tests.lightning.networks import gaussian_model
from tests.lightning.test_predict import images

GRID = [0.0, 1.0, 200.0, 500.0, 800.0]


def test_only_the_states_asked_for_come_back_in_their_order() -> None:
    model, batch = gaussian_model(), {"data": images(2), "ids": ["a", "b"]}
    states = StatesInverter(model, DDIM(), GRID, [1, 3]).predict_step(batch)
    assert states.shape == (2, 2, 3, 8, 8)
    for k, end in enumerate((1, 3)):
        alone = Inverter(model, DDIM(), GRID[: end + 1]).predict_step(batch)
        assert torch.equal(states[:, k], alone)
    assert not torch.equal(states[:, 0], states[:, 1])
