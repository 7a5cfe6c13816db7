"""Plots of the stage analyse, from figures made by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ood_diffusion.report.sheets import SEPARATOR
from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.study.analyse.plots import (
    angle_curves,
    auc_curve,
    components,
    latent_sheet,
    round_trip_curve,
    spectra,
)
from ood_diffusion.study.analyse.round_trip import ROUNDING, RoundTrips, Trip

RNG = np.random.default_rng(0)
TEST = NullTest(0.9, 0.5, 0.4, 0.6, 0.01, 16)
CURVE = {"frequency": [1.0, 4.0, 16.0], "power": [3.0, 1.0, 0.5]}


def level(t: float) -> Any:
    """What the plots show of `Compared`."""
    unseen, training = SimpleNamespace(spectrum=CURVE), SimpleNamespace(spectrum=CURVE)
    return SimpleNamespace(
        level=t, unseen=unseen, training=training, separability=TEST, trivial_separability=TEST
    )


def row(domain: str, solver: str, calls: int) -> Trip:
    estimate = Estimate(30.0 + calls, 29.0, 65.0, 8)
    return Trip(domain, solver, calls // 2, calls, estimate, estimate, estimate, estimate)


def lines(text: str) -> int:
    """Curves that are drawn, beside the grid and the axes."""
    return text.count('id="line2d_')


def test_every_domain_and_solver_has_a_line() -> None:
    one = [row("unseen", "ddim", calls) for calls in (16, 32)]
    two = one + [row("training", "ddim", calls) for calls in (16, 32)]
    four = two + [row(domain, "heun", calls) for domain in ("unseen", "training") for calls in (32, 64)]
    gain = Estimate(0.0, -1.0, 1.0, 8)
    drawn = [lines(round_trip_curve(RoundTrips(rows, {}, gain, 8, ROUNDING))) for rows in (one, two, four)]
    assert drawn[0] < drawn[1] < drawn[2]


def test_every_level_has_its_spectra() -> None:
    few, many = spectra([level(500), level(1000)]), spectra([level(t) for t in (300, 500, 700, 1000)])
    assert few.startswith("<?xml") and lines(many) > lines(few)


def test_single_levels_and_few_points_can_be_drawn() -> None:
    assert "<svg" in auc_curve([level(500)])
    assert "<svg" in components(
        {"unseen": RNG.normal(size=(8, 2)), "training": RNG.normal(size=(8, 2))}, [0.5, 0.1]
    )
    angles = RNG.normal(90, 1, 28), RNG.normal(60, 1, 50)
    assert "<svg" in angle_curves({"unseen": angles, "training": angles}, 3072)


def test_the_same_figures_give_the_same_bytes() -> None:
    assert auc_curve([level(500), level(900)]) == auc_curve([level(500), level(900)])


def test_a_sheet_has_the_image_then_its_states() -> None:
    originals = torch.full((2, 3, 8, 8), 7, dtype=torch.uint8)
    states = torch.stack([torch.full((2, 3, 8, 8), value) for value in (-9.0, 0.0, 3.0)], dim=1)
    sheet = latent_sheet(originals, states)
    step = 8 + SEPARATOR
    assert sheet.shape == (3, 2 * step - SEPARATOR, 4 * step - SEPARATOR)
    for column, value in enumerate((7, 0, 128, 255)):
        tile = sheet[:, step : step + 8, column * step : column * step + 8]
        assert set(tile.flatten().tolist()) == {value}


def test_states_of_a_latent_model_are_enlarged_and_lose_channels() -> None:
    states = torch.zeros(1, 1, 4, 4, 4)
    states[:, :, 3] = 3.0  # the fourth channel is not shown
    sheet = latent_sheet(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), states)
    assert sheet.shape == (3, 8, 16 + SEPARATOR)
    assert set(sheet[:, :, -8:].flatten().tolist()) == {128}
    grey = latent_sheet(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.full((1, 1, 1, 8, 8), 3.0))
    assert set(grey[:, :, -8:].flatten().tolist()) == {255}
