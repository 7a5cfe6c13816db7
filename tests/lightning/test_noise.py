"""Fresh noise for the next step is drawn while this one is computed; values are those of drawing in turn."""

from threading import Event

import pytest
import torch
from torch import Tensor

from ood_diffusion.diffusion.ddim import DDIM
from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.lightning.trajectory import Generator, drawn_ahead
from ood_diffusion.pixels import as_stored
from ood_diffusion.seeding import generator, normal
from tests.cli import LIMIT
from tests.lightning.networks import gaussian_model

LEVELS = [0.0, 1.0, 300.0, 600.0]


def test_the_next_is_drawn_while_one_is_in_use() -> None:
    begun, numbers = [Event() for _ in range(3)], iter(range(3))

    def draw() -> Tensor:
        number = next(numbers)
        begun[number].set()
        return torch.tensor(number)

    with drawn_ahead(draw, 3) as noise:
        for number in range(3):
            assert int(noise()) == number
            assert all(each.wait(LIMIT) for each in begun[: number + 2])
            assert not any(each.is_set() for each in begun[number + 2 :])  # memory for two, not for all
    assert next(numbers, None) is None


def test_nothing_is_drawn_that_nobody_uses() -> None:
    with drawn_ahead(lambda: pytest.fail("drawn"), 0):
        pass


def test_what_drawing_raises_comes_where_the_noise_is_wanted() -> None:
    def draw() -> Tensor:
        raise MemoryError

    with drawn_ahead(draw, 2) as noise, pytest.raises(MemoryError):
        noise()


def test_images_are_those_of_drawing_in_turn() -> None:
    model, latents = gaussian_model(), torch.randn(2, 3, 8, 8)
    streams = [generator(5, "noise", name) for name in "ab"]
    expected = integrate(
        model.eps, latents, model.schedule, LEVELS[::-1], DDIM(),
        eta=0.7, draw_noise=lambda: normal(streams, latents.shape[1:]),
    )  # fmt: skip
    found = Generator(model, DDIM(), LEVELS, eta=0.7, seed=5).rows({"ids": [*"ab"], "data": latents})
    assert torch.equal(found, as_stored(model.decode(expected), torch.uint8))
