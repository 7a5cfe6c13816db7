"""Fields are measured in the units of their domain, channel by channel."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ood_diffusion.domains.density_sim import DensitySim
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.fields.scale import Scale
from ood_diffusion.physics.comparison import differences
from ood_diffusion.physics.fields import Fields

DECADES = Scale("log10", 1e-3, 100)


def clouds(n: int, start: int = 0) -> Tensor:
    domain = DensitySim(32)
    return torch.stack([domain.render("references", start + i) for i in range(n)])


def test_values_are_in_dex_and_flux_in_the_unit_of_the_data() -> None:
    physical = 10 ** torch.linspace(-2, 1, 32 * 32, dtype=torch.float64).reshape(1, 1, 32, 32)
    found = Fields(DECADES, 1).statistics(DECADES.to_unit(physical))
    assert found["mean"][0] == pytest.approx(-0.5, abs=1e-5)
    assert found["sd"][0] == pytest.approx(3 / 12**0.5, rel=2e-3)
    assert found["mean_flux"][0] == pytest.approx(float(physical.mean()), rel=1e-5)
    assert Fields(DECADES, 1).unit == "dex" and Fields(Scale("linear", 0, 2), 1).unit == "data units"


def test_power_is_that_of_the_decades_whatever_range_the_network_sees() -> None:
    wide = Scale("log10", 1e-5, 1e4)
    seen = [
        Fields(scale, 1).curves(scale.to_unit(DECADES.to_physical(clouds(3))))["power_spectrum"]
        for scale in (DECADES, wide)
    ]
    assert np.allclose(*seen, atol=1e-4)


def test_small_units_hide_nothing() -> None:
    """Fluxes of 1e-17 erg/s/cm²/Å: statistics without a unit stay, and the others are that much smaller."""
    images, unit = clouds(4), 1e-17
    large, small = (Fields(Scale("linear", 0, high), 1).statistics(images) for high in (1.0, unit))
    with_unit = {"mean", "sd", "mean_flux"}
    for name in large.keys() - with_unit - {"power"}:
        assert np.allclose(large[name], small[name]), name
    assert all(np.allclose(large[name] * unit, small[name], rtol=1e-5, atol=0) for name in with_unit)
    assert np.allclose(large["power"] + 2 * np.log10(unit), small["power"])
    others = Fields(Scale("linear", 0, unit), 1).statistics(clouds(4, start=4))
    found = differences(small, others, seed=0)
    expected = differences(large, Fields(Scale("linear", 0, 1.0), 1).statistics(clouds(4, start=4)), seed=0)
    for name in with_unit:
        assert found[name].difference == pytest.approx(expected[name].difference, rel=1e-4), name


@pytest.mark.parametrize("kind", ["asinh", "symlog"])
def test_decades_of_bright_values_are_those_of_the_logarithm(kind: str) -> None:
    scale = Scale(kind, -1, 1e6, softening=1.0)
    values = scale.to_unit(torch.tensor([[[1e4, 1e5]]], dtype=torch.float64))
    low, high = scale.stretched(values).flatten().tolist()
    assert high - low == pytest.approx(1, abs=1e-4)


def test_five_bands_have_their_own_numbers_and_correlations() -> None:
    domain = GalaxiesSim(32, bands=5)
    images = torch.stack([domain.render("references", i) for i in range(6)])
    of = Fields(domain.physical_scale, 5)
    found, drawn = of.statistics(images), of.curves(images)
    assert set(found) == {name for names in of.groups.values() for name in names}
    assert set(drawn) == set(of.labels) == set(of.abscissae(images))
    assert all(np.isfinite(each).all() and each.shape == (6,) for each in found.values())
    assert all(drawn[name].shape == (6, len(x)) for name, x in of.abscissae(images).items())
    assert found["mean_flux_4"].mean() > found["mean_flux_0"].mean()  # brighter in z than in u
    assert found["correlation_2_3"].mean() > 0.5


def test_densities_of_values_sum_to_one() -> None:
    of, images = Fields(DECADES, 1), clouds(4)
    x, drawn = of.abscissae(images)["pdf"], of.curves(images)["pdf"]
    assert np.allclose(drawn.sum(axis=1) * (x[1] - x[0]), 1)


def test_a_rectangle_is_measured_in_its_middle_square() -> None:
    images = clouds(3)
    wide = torch.nn.functional.pad(images, (6, 6), value=0.9)
    ours, theirs = (Fields(DECADES, 1).statistics(each) for each in (wide, images))
    assert ours.keys() == theirs.keys() and np.allclose(ours["power"], theirs["power"])


def test_fields_that_are_averages_of_two_are_told_apart_and_others_of_the_domain_are_not() -> None:
    of, images, held_out = Fields(DECADES, 1), clouds(60), clouds(120, 60)
    real = of.statistics(held_out)
    averaged = differences(of.statistics((images + images.roll(1, 0)) / 2), real, 0)
    assert averaged["sd"].differs and averaged["spectrum_slope"].samples < averaged["sd"].samples
    assert not any(each.differs for each in differences(of.statistics(images), real, 0).values())


def test_photographs_of_other_channels_are_shares_of_white() -> None:
    grey = torch.full((1, 1, 16, 16), 51, dtype=torch.uint8)
    assert Fields(None, 1).statistics(grey)["mean_flux"][0] == pytest.approx(0.2)
