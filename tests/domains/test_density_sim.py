"""Simulated fields keep the closed forms of the physics they are made of, in physical units."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats

from ood_diffusion.checks import UserError
from ood_diffusion.domains.base import Domain
from ood_diffusion.domains.density_sim import DensitySim
from ood_diffusion.domains.galaxies_sim import GalaxiesSim
from ood_diffusion.domains.radiation_sim import BACKGROUND, RadiationFieldSim, RadiationSim
from ood_diffusion.simulators.galaxies.light import EXTINCTION, band_fluxes
from ood_diffusion.simulators.radiation.density import gaussian_field, log_density_variance, stirred

FIELDS = (
    DensitySim(32),
    RadiationFieldSim(32),
    GalaxiesSim(32, bands=5),
    GalaxiesSim(32, bands=5, channels=[2]),
)


@pytest.mark.parametrize("domain", FIELDS)
def test_a_field_is_float32_repeatable_and_has_physical_values(domain: Domain) -> None:
    field = domain.render("references", 3)
    assert field.dtype == domain.dtype == torch.float32 and field.shape == domain.shape
    again = pickle.loads(pickle.dumps(domain)).render("references", 3)
    assert torch.equal(field, again)
    assert domain.physical_scale is not None
    assert torch.equal(domain.physical_scale.to_unit(domain.physical_scale.to_physical(field)), field)
    assert len(field.unique()) > 0.9 * field.numel()  # nothing rounded to bytes or clipped


def test_settings_and_bands_enter_the_key_and_the_old_pictures_keep_theirs() -> None:
    domains = [DensitySim(32, **{name: 0.3}) for name in ("mach", "slope", "stirring")]
    domains += [*FIELDS, RadiationSim(32), GalaxiesSim(32), DensitySim(32, seed=1)]
    assert len({domain.key("references", 0) for domain in domains}) == len(domains)
    assert GalaxiesSim(32).key("references", 0) == GalaxiesSim(32, bands=3).key("references", 0)


def test_stirring_keeps_the_distribution_of_values_and_gives_up_random_phases() -> None:
    rng = np.random.default_rng(0)
    still = [gaussian_field(rng, 64, 2.8) for _ in range(200)]
    moved = [stirred(rng, field, 0.08) for field in still]
    assert np.std(moved) == pytest.approx(np.std(still), rel=0.02)
    assert np.mean([np.abs(a - b).max() for a, b in zip(still, moved, strict=True)]) > 1
    assert np.allclose(stirred(rng, still[0], 0.0), still[0])

    def kurtosis_of_gradients(fields: list[np.ndarray]) -> float:
        return float(np.mean([stats.kurtosis(np.diff(field, axis=0), axis=None) for field in fields]))

    assert abs(kurtosis_of_gradients(still)) < 0.1 < 0.3 < kurtosis_of_gradients(moved)


def test_log_density_follows_the_mach_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ood_diffusion.domains.density_sim.MACH_SCATTER", 0.0)
    domain = DensitySim(16, mach=8.0)
    logs = np.log(
        [domain.physical_scale.to_physical(domain.render("references", i))[0, 3, 5] for i in range(1500)]
    )
    variance = log_density_variance(8.0)
    assert logs.mean() == pytest.approx(-variance / 2, abs=4 * math.sqrt(variance / 1500))
    assert logs.var() == pytest.approx(variance, rel=0.15)


def test_a_radiation_field_is_the_picture_of_the_same_cloud_before_colours_and_bytes() -> None:
    native, picture = RadiationFieldSim(48), RadiationSim(48)
    values = native.physical_scale.to_physical(native.render("references", 7))[0] - BACKGROUND
    shown = picture.intensity(picture.render("references", 7)).double()
    inside = (values > 0.02) & (values < 900)
    assert (values.clamp_min(1e-30).log10() - shown)[inside].abs().max() <= 0.5 * 5 / 255 + 1e-4


def test_five_bands_hold_the_light_of_the_three() -> None:
    colours = np.array([[0.77, 0.39], [0.4, 0.2]])
    three, five = band_fluxes(colours), band_fluxes(colours, 5)
    assert np.allclose(five[:, [3, 2, 1]], three)
    u_r = -2.5 * np.log10(five[:, 0])
    assert u_r == pytest.approx([2.58, 1.58], abs=0.01)
    assert EXTINCTION[5][1:4] == EXTINCTION[3][::-1]
    assert torch.equal(GalaxiesSim(32, bands=5, channels=[2, 0]).render("held_out", 1),
                       GalaxiesSim(32, bands=5).render("held_out", 1)[[2, 0]])  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bands": 4}, r"domain\.bands must be 3 or 5, but got 4"),
        ({"channels": [0]}, r"domain\.channels must be null, or with domain\.bands=5 indices"),
        ({"bands": 5, "channels": [5]}, r"indices from 0 \(u\) to 4 \(z\), but got \[5\]"),
        ({"bands": 5, "channels": []}, "domain.channels must be null"),
    ],
)
def test_bands_that_there_are_not_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        GalaxiesSim(32, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["mach", "slope", "stirring"])
def test_settings_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"domain\.{name} must lie between 0 and"):
        DensitySim(32, **{name: -1.0})
