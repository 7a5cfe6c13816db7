"""Every sweep composes, says truly how large it is, and names what exists."""

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ood_diffusion.lightning.ranks import Ranks
from ood_diffusion.report.collect.sweep_size import combinations
from ood_diffusion.report.plan.work import spent, total
from ood_diffusion.runs import assemble
from ood_diffusion.runs.configuration import GROUPS, conf_folder
from ood_diffusion.runs.plan import plan_run
from tests.cli import QUICK, TINY, results, run_cli
from tests.composed import composed as composed_as_the_command_does

ROOT = Path(__file__).parents[2]
SEARCH = "search"
SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml") if path.stem != SEARCH)
HEAD = re.compile(
    r"# @package _global_\n# .+ \(C\d+\): .+\?\n#\n# The figure: .+(\n# .+)*\n#\n"
    r"# Runs: (?P<runs>[\d,]+)\n# Calls: (?P<calls>[\d,]+)\n"
    r"# On 2 CPU cores: (?P<minutes>[\d.]+) minutes of network \(100 calls/s\).+\n#\n"
    r"#   (?P<command>ood-diffusion .+)\n"
)


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    with initialize_config_dir(conf_folder(), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None


composed = cache(partial(composed_as_the_command_does, hydra=True))


def params(name: str) -> dict[str, str]:
    found = composed(f"+sweep={name}").hydra.sweeper.params
    return {str(key): str(value) for key, value in found.items()}


def head(name: str) -> dict[str, str]:
    match = HEAD.match((ROOT / "sweeps" / f"{name}.yaml").read_text())
    assert match, f"{name} does not say question, figure, runs, calls, minutes and command in this order"
    return match.groupdict()


def test_the_questions_are_there() -> None:
    assert SWEEPS == [
        "bandwidth", "domain_gap", "eta", "few_shot", "leaderboard", "level", "steps",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_the_head_is_true_but_for_the_calls(name: str) -> None:
    said = head(name)
    assert int(said["runs"]) == len(combinations([f"{key}={value}" for key, value in params(name).items()]))
    assert float(said["minutes"]) == round(int(said["calls"].replace(",", "")) / 6000, 1)
    assert said["command"] == f"ood-diffusion -m +sweep={name}"
    page = (ROOT / "sweeps" / "README.md").read_text()
    assert f"`{said['command']}` | {said['runs']} | {said['calls']} |" in page


@pytest.mark.parametrize("name", SWEEPS)
def test_every_value_exists_and_changes_nothing_else(name: str) -> None:
    base = composed(f"+sweep={name}")
    for key, values in params(name).items():
        assert key in GROUPS or key in assemble.KNOBS, key
        for value in values.split(","):
            cfg = composed(f"+sweep={name}", f"{key}={value}")
            if key in GROUPS:
                assert cfg.hydra.runtime.choices[key] == value
            else:
                assert str(cfg[key]) == value and isinstance(cfg[key], int | float)
            assert without(cfg, key, "hydra") == without(base, key, "hydra")


def without(cfg: DictConfig, *keys: str) -> dict[Any, Any]:
    """The settings as they are written, but for these."""
    found = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if key not in keys}


def run_of(name: str, run: dict[str, str]) -> DictConfig:
    """The configuration of one run, put together of those of its values: composing each takes minutes."""
    cfg = deepcopy(composed(f"+sweep={name}"))
    OmegaConf.set_struct(cfg, False)
    for key, value in run.items():
        cfg[key] = composed(f"+sweep={name}", f"{key}={value}")[key]
        if key in GROUPS:
            cfg.hydra.runtime.choices[key] = value
    return cfg


@pytest.mark.parametrize("name", SWEEPS)
def test_runs_are_grouped_in_wandb_and_need_no_flag(name: str) -> None:
    cfg = composed(f"+sweep={name}", "hydra.sweep.dir=outputs/sweeps/2026-11-25")
    assert cfg.hydra.mode.name == "MULTIRUN"
    HydraConfig.instance().set_config(cfg)
    assert cfg.logger.group == f"{name}_2026-11-25"
    assert composed(f"+sweep={name}", "logger=none").logger.mode == "disabled"


@cache
def once(text: str) -> Any:
    return assemble.instantiate(OmegaConf.create(text), _convert_="all")


def built(part: Any, kind: type = object, **more: Any) -> Any:
    """`assemble.build` that makes every network once."""
    if "weights" in part or "input_size" in part:
        return once(OmegaConf.to_yaml(part, resolve=True))
    return assemble.instantiate(part, _convert_="all", **more)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_calls_in_the_head_are_those_of_a_dry_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemble, "build", built)
    values = {key: found.split(",") for key, found in params(name).items()}
    plans = []
    for run in itertools.product(*values.values()):
        cfg = run_of(name, dict(zip(values, run, strict=True)))
        cfg.store = f"{tmp_path}/store"
        names = {group: str(cfg.hydra.runtime.choices[group]) for group in GROUPS}
        cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])  # which no job is given
        made = assemble.assemble(cfg, names, tmp_path, Ranks(partial(built, cfg.trainer)))
        plans.append(plan_run(made))
    least, most = total(spent(plans))
    if name == "bandwidth":  # a plan knows nothing of this stage, and says so
        assert all("bandwidth: network calls not counted" in "".join(plan.notes) for plan in plans)
        return
    assert f"{least:,}" == f"{most:,}" == head(name)["calls"]


def test_the_search_takes_at_most_as_many_calls_as_its_file_says(tmp_path: Path) -> None:
    cfg = deepcopy(composed(f"+sweep={SEARCH}", "steps=16", "sampler=draw"))
    text, sweeper = (ROOT / "sweeps" / f"{SEARCH}.yaml").read_text(), cfg.hydra.sweeper
    assert len(combinations([f"{key}={value}" for key, value in sweeper.params.items()])) == 450
    cfg.store, names = f"{tmp_path}/store", {group: str(cfg.hydra.runtime.choices[group]) for group in GROUPS}
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    made = assemble.assemble(cfg, names, tmp_path, Ranks(partial(built, cfg.trainer)))
    most = total(spent([plan_run(made)])).most * sweeper.n_trials
    assert f"# Calls: at most {most:,}\n" in text
    page = (ROOT / "sweeps" / "README.md").read_text()
    assert f"`ood-diffusion -m +sweep={SEARCH}` | {sweeper.n_trials} | at most {most:,} |" in page


@cache
def wandb_sweep() -> dict[str, Any]:
    from wandb.sdk.launch.sweeps.utils import load_sweep_config  # takes seconds, in every process of pytest's

    found: dict[str, Any] = load_sweep_config(str(ROOT / "sweeps" / "wandb" / "eta.yml"))
    return found


def test_the_wandb_sweep_asks_what_ours_asks() -> None:
    found = wandb_sweep()
    asked = {key: ",".join(map(str, values["values"])) for key, values in found["parameters"].items()}
    assert asked == params("eta")
    assert found["method"] == "grid" and found["project"] == composed().logger.project


def test_what_a_wandb_agent_starts_runs(tmp_path: Path) -> None:
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    value = wandb_sweep()["parameters"]["eta"]["values"][1]
    filled = create_sweep_command_args({"args": {"eta": {"value": value}}})
    found = wandb_sweep()
    words = {"${program}": [found["program"]], "${args_no_hyphens}": filled["args_no_hyphens"]}
    command = [word for part in found["command"] for word in words.get(part, [part])]
    assert shutil.which(command[0]) or command[0] == "ood-diffusion"
    done = run_cli(tmp_path, *command[1:], *TINY, *QUICK, "stages=[invert,sample]")
    assert done.returncode == 0, done.stderr
    (r,) = results(tmp_path)
    assert r["coordinates"]["eta"] == value


def test_hydra_does_not_take_the_wandb_file_for_a_configuration(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "--help")
    assert f"\nsweep: {', '.join(sorted([*SWEEPS, SEARCH]))}\n" in done.stdout


def test_a_value_on_the_command_line_replaces_the_sweeps(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "+sweep=eta", "eta=0,1", "stages=[invert]", *TINY, "dry_run=true")
    assert done.returncode == 0, done.stderr
    runs = sorted((tmp_path / "outputs" / "sweeps").glob("*/*/dry_run.json"))
    assert len(runs) == 2 and ", 2 runs" in done.stdout
    assert all(json.loads(path.read_text())["works"] for path in runs)
