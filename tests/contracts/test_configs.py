"""Every YAML composes, builds and runs; one test per group, over whatever files are there."""

from inspect import signature
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from ood_diffusion.diffusion.integrate import integrate
from ood_diffusion.diffusion.schedule import Schedule
from ood_diffusion.report.tracking.settings import read_tracking
from ood_diffusion.runs.assemble import build, plain
from ood_diffusion.runs.configuration import GROUPS, conf_folder
from ood_diffusion.runs.stage import Stage
from ood_diffusion.seeding import generator
from tests.composed import composed
from tests.domains.data_sets import prepared

CONF = Path(conf_folder())
OTHERS = (
    "control",
    "launcher",
    "sweeper",
    "metric",
    "schedule",
    "trainer",
    "training",
    "logger",
    "experiment",
    "debug",
    "sweep",
    "sweeper",
    "view",
)
OF_STAGES = ("baseline", "stage")
LATENTS = torch.randn(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def test_every_group_is_known_here() -> None:
    """A new group needs a test in this file (models and schedules: test_model_configs.py)."""
    folders = {path.name for path in CONF.iterdir() if path.is_dir() and any(path.glob("*.yaml"))}
    assert folders == {*GROUPS, *OTHERS, *OF_STAGES}


@pytest.mark.parametrize("group", [*GROUPS, *OTHERS, *OF_STAGES])
def test_every_file_says_what_it_is(group: str) -> None:
    for path in (CONF / group).glob("*.yaml"):
        assert "#" in path.read_text().split("_target_")[0], f"{path.name} has no comment at its head"


@pytest.mark.parametrize("name", choices("prior"))
def test_prior(name: str) -> None:
    prior = build(composed(f"prior={name}").prior).fit(LATENTS)
    z = prior.draw([generator(0, i) for i in range(3)])
    assert z.shape == (3, 3, 8, 8) and z.dtype == torch.float32 and bool(torch.isfinite(z).all())


@pytest.mark.parametrize("name", choices("sampler"))
def test_sampler(name: str) -> None:
    cfg = composed(f"sampler={name}")
    sampler = build(cfg.sampler)
    sampler.bind(LATENTS, build(cfg.prior).fit(LATENTS))
    z = sampler.draw([generator(0, i) for i in range(3)])
    assert z.shape == (3, 3, 8, 8) and z.dtype == torch.float32


@pytest.mark.parametrize("name", choices("selection"))
def test_selection(name: str) -> None:
    settings = plain(composed(f"selection={name}").selection)
    assert settings.pop("max_proposals") >= 1
    selection = build(settings)
    selection.bind(LATENTS)
    verdicts = selection.judge(LATENTS, [generator(0, i) for i in range(24)])
    assert tuple(verdicts) == selection.tests
    assert all(v.shape == (24,) and v.dtype == torch.bool for v in verdicts.values())


@pytest.mark.parametrize("solver", choices("solver"))
@pytest.mark.parametrize("grid", choices("grid"))
def test_solver_on_grid(solver: str, grid: str) -> None:
    schedule = Schedule.linear()
    levels = build(composed(f"grid={grid}").grid)(schedule, 600, 5)
    made, x = build(composed(f"solver={solver}", "eta=1").solver), torch.ones(1, 3, 2, 2)
    out = integrate(lambda x, t: 0 * x, x, schedule, levels, made, draw_noise=lambda: 0 * x)
    assert float(out[:, :3].mean()) == pytest.approx(schedule.alpha(600), rel=1e-5)  # no noise: x = alpha u


@pytest.mark.parametrize("name", choices("domain"))
def test_domain(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    cfg = composed(f"domain={name}", *prepared(name, tmp_path))
    own = {"model": build(cfg.model)} if name == "own_samples" else {}
    domain = build(cfg.domain, image_size=24, **own)
    for split in ("references", "held_out"):
        image = domain.render(split, 0)
        assert image.shape == domain.shape == (domain.channels, 24, 24) and image.dtype == domain.dtype


@pytest.mark.parametrize("name", choices("launcher"))
def test_launcher(name: str) -> None:
    """Composes with its plugin; that runs end well: tests/scale."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        launcher = compose("config", [f"launcher={name}"], return_hydra_config=True).hydra.launcher
    assert {"basic": "Basic", "joblib": "Joblib", "local": "Local", "slurm": "Slurm", "submit": "Submit"}[
        name
    ] in launcher._target_


@pytest.mark.parametrize("name", choices("sweeper"))
def test_sweeper(name: str) -> None:
    """Composes with its plugin; that runs end well: tests/runs/test_search.py."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        sweeper = compose("config", [f"sweeper={name}"], return_hydra_config=True).hydra.sweeper
    assert {"grid": "Grid", "optuna": "Search", "wandb": "SweepFile"}[name] in sweeper._target_


@pytest.mark.parametrize("name", choices("trainer"))
def test_trainer(name: str) -> None:
    assert build(composed(f"trainer={name}").trainer, callbacks=[]).num_devices >= 1


@pytest.mark.parametrize("name", choices("training"))
def test_training(name: str) -> None:
    assert build(composed(f"training={name}").training).max_steps > 0


@pytest.mark.parametrize("name", choices("stage"))
def test_stage(name: str) -> None:
    """Every file is read without being asked for, and its class has a field for each of its settings."""
    assert isinstance(build(composed().stage[name]), Stage)


@pytest.mark.parametrize("name", choices("baseline"))
def test_baseline(name: str) -> None:
    settings = build(composed(f"baseline={name}").stage.preservation)
    assert (settings.finetune is None) == (name == "none")


@pytest.mark.parametrize("name", choices("logger"))
def test_logger(name: str) -> None:
    """W&B's settings are read, others name a class that takes them; what they log: tests/report."""
    settings = plain(composed(f"logger={name}").logger)
    if "_target_" in settings:
        signature(get_class(settings.pop("_target_"))).bind(**settings)
    else:
        read_tracking(settings)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("experiment", "debug") for name in choices(kind)]
)
def test_experiment_states_differences_and_each_takes_effect(kind: str, name: str) -> None:
    stated = OmegaConf.load(CONF / kind / f"{name}.yaml")
    cfg, default = composed(f"{kind}='{name}'", hydra=True), composed(hydra=True)  # nan would be a number
    said, got, before = (cast(Any, OmegaConf.to_container(each)) for each in (stated, cfg, default))
    for key in said:
        if key != "defaults":
            merged = OmegaConf.to_container(OmegaConf.merge({key: got[key]}, {key: said[key]}))
            assert merged == {key: got[key]} and got[key] != before[key], f"{name}: {key}"
    for override in stated.get("defaults", []):
        ((group, choice),) = override.items()
        group = group.removeprefix("override /")
        alone = composed(f"{group}={choice}")
        if group == "baseline":  # settings of a stage, which the experiment may change further
            assert alone.stage.preservation != default.stage.preservation, f"{name}: {group}"
            continue
        chosen = OmegaConf.merge(alone[group], stated.get(group, {}))
        assert OmegaConf.to_container(cfg[group]) == OmegaConf.to_container(chosen), f"{name}: {group}"
        assert OmegaConf.to_container(cfg[group]) != OmegaConf.to_container(default[group]), (
            f"{name}: {group}"
        )
