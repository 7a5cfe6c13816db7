"""A bad round trip is warned of, with what helps; a good one is not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ood_diffusion.fields.scale import Scale
from ood_diffusion.models.probe import WHOLE
from ood_diffusion.seeding import generator
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.reconstruct import physical_error, reconstruct
from tests.cli import QUICK
from tests.lightning.networks import GaussianNetwork
from tests.models.tiny_pipelines import save_ldm
from tests.runs.test_run import made


class Table(GaussianNetwork):
    """Looks whole timesteps up in a table that is far from smooth; cuts off fractions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(1 + 0.3 * torch.randn(1000, generator=generator(0, "table")))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        whole = timestep.long()
        return super().forward(x, whole) * self.table[whole].view(-1, 1, 1, 1)


TABLE = (*QUICK, f"model.network._target_={__name__}.Table", "steps=16")


def round_trip(folder: Path, caplog: pytest.LogCaptureFixture, *overrides: str) -> tuple[float, list[str]]:
    """PSNR, and the warnings."""
    run = made(folder, "stages=[invert,reconstruct]", "n_references=4", *overrides)
    invert(run)
    found = reconstruct(run)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert found["psnr_mean"] is not None
    return found["psnr_mean"], warnings


def test_a_good_round_trip_goes_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    decibels, warnings = round_trip(tmp_path, caplog, *QUICK, "steps=16")
    assert decibels > 40 and warnings == []


def test_few_steps(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    decibels, (warning,) = round_trip(tmp_path, caplog, *QUICK, "steps=1", "level=900")
    places = f"round trips to level 900 reconstruct images at {decibels:.1f} dB, those to level 0 at 89.0 dB"
    assert places in warning and warning.endswith("use more steps, a lower level or solver=fixed_point.")


def test_whole_timesteps_are_named_before_and_after(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    decibels, (before, after) = round_trip(tmp_path, caplog, *TABLE)
    assert before == WHOLE % (10.5, 10) and decibels < 30
    assert f"at {decibels:.1f} dB" in after and after.endswith("solver=fixed_point.")


def test_what_the_warning_says_helps(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    decibels, warnings = round_trip(tmp_path, caplog, *TABLE, "solver=fixed_point")
    assert decibels > 80 and warnings == [WHOLE % (10.5, 10)]


def test_an_autoencoder_that_loses_as_much(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_ldm(tmp_path / "ldm", "kl")
    model = ("model=latent_diffusion", f"model.path={tmp_path}/ldm")
    decibels, (warning,) = round_trip(tmp_path, caplog, *model, "steps=8")
    assert decibels < 30 and warning.endswith("use another model; the error is that of its autoencoder.")


def test_errors_in_physical_units_are_those_that_were_made() -> None:
    scale = Scale("log10", 1e-3, 1e3)
    given = torch.rand(5, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = physical_error(scale, [(part + 0.01, part) for part in given.split(2)])
    assert found["unit"] == "dex" and found["rms"] == pytest.approx(0.03, rel=1e-4)  # 6 decades are 2 long
    assert found["flux"] == pytest.approx(10**0.03 - 1, rel=1e-4) and found["flux_sd"] < 1e-6
    assert found["share_of_sd"] == pytest.approx(0.03 / (6 / 12**0.5), rel=0.05)
    linear = physical_error(Scale("linear", 0, 10), [(given + 0.01, given)])
    assert linear["unit"] == "data units" and linear["rms"] == pytest.approx(0.05, rel=1e-4)
