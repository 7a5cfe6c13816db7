"""`dry_run=true` says what the real command then does, call by call, and does nothing itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ood_diffusion.checks import UserError
from ood_diffusion.report.plan.work import Calls, Plan, Work, spent
from ood_diffusion.runs import assemble
from ood_diffusion.runs.configuration import GROUPS
from ood_diffusion.runs.dry_run import plan, show_sweep
from ood_diffusion.runs.sweep import Sweep
from tests.cli import QUICK, TINY, results, run_cli
from tests.composed import composed
from tests.report.fake import write_run

# draws that use the prior and draws that do not; batches of 4 that 10 and 6 do not fill
FOUR = [
    *[word for word in TINY if not word.startswith(("n_references", "n_samples"))],
    *QUICK,
    *["n_references=10", "n_samples=6", "stages=[invert,reconstruct,sample]"],
    *["sampler=draw,linear_combination", "prior=gaussian,span"],
]


def planned(folder: Path) -> list[dict[str, int]]:
    """Calls by stage of every run of the newest dry run."""
    newest = max((folder / "outputs" / "sweeps").iterdir())
    files = sorted(newest.glob("*/dry_run.json"), key=lambda path: int(path.parent.name))
    costs = spent([Plan.from_json(json.loads(path.read_text())) for path in files])
    assert all(calls.least == calls.most for cost in costs for calls in cost.values())
    return [{stage: calls.most for stage, calls in cost.items()} for cost in costs]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[dict[str, int]], bool]:
    """A folder in which runs were planned and then run; what the plan said; whether it left no trace."""
    folder = tmp_path_factory.mktemp("dry")
    done = run_cli(folder, "-m", *FOUR, "dry_run=true")
    assert done.returncode == 0, done.stderr
    traceless = not (folder / "outputs" / "store").exists() and not results(folder)
    plan = planned(folder)
    ran = run_cli(folder, "-m", *FOUR)
    assert ran.returncode == 0, ran.stderr
    return folder, done.stdout, plan, traceless


@pytest.fixture
def folder(swept: tuple[Path, str, list[dict[str, int]], bool]) -> Path:
    return swept[0]


def test_the_plan_is_what_a_sweep_then_does(
    swept: tuple[Path, str, list[dict[str, int]], bool],
) -> None:
    folder, said, plan, traceless = swept
    assert traceless and len(plan) == 4
    for words in (
        "Network calls: 96 to do; 0 are already in the store.",
        "With an empty store: 96; if runs shared nothing: 256.",
        "stages=[inspect]",
        "nothing was computed",
    ):
        assert words in said
    assert [r["cost"]["network_calls"] for r in results(folder)[:4]] == plan


def test_runs_that_share_networks_load_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, build = [], assemble.build

    def counting(part: Any, *args: Any, **more: Any) -> Any:
        made.append(str(part.get("_target_")))
        return build(part, *args, **more)

    monkeypatch.setattr(assemble, "build", counting)
    assemble.KEPT.clear()
    assemble.kept_extractor.cache_clear()

    def networks(*overrides: str) -> list[str]:
        made.clear()
        plan(
            composed(f"store={tmp_path}", "trainer.accelerator=cpu", *overrides),
            dict.fromkeys(GROUPS, ""),
            tmp_path,
        )
        return sorted(set(made) & {cfg.model._target_, cfg.extractor._target_})

    cfg = composed()
    assert len(networks("eta=0")) == 2
    assert networks("eta=1", "seed=3") == []
    assert networks("precision=bf16") == [cfg.model._target_]


def test_what_is_done_is_known(folder: Path) -> None:
    done = run_cli(folder, "-m", *FOUR, "sampler=draw", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert {calls for run in planned(folder) for calls in run.values()} == {0}
    assert "0 to do; 80 are already in the store" in done.stdout
    assert "Time:" not in done.stdout  # there is nothing to wait for


def test_a_single_run_that_adds_to_what_is_there(folder: Path) -> None:
    more = [word for word in FOUR if not word.startswith(("sampler", "prior", "n_"))]
    more += ["sampler=draw", "prior=span", "n_samples=9", "n_held_out=16", "n_references=10"]
    before = sorted((folder / "outputs" / "store").rglob("*"))
    done = run_cli(folder, *more, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "Network calls: 8 to do" in done.stdout  # three samples fill a batch of four, two steps
    assert " calls/s as in " in done.stdout and "outputs/sweeps" in done.stdout
    assert sorted((folder / "outputs" / "store").rglob("*")) == before
    assert run_cli(folder, *more).returncode == 0
    assert results(folder)[-1]["cost"]["network_calls"] == {"invert": 0, "reconstruct": 0, "sample": 8}


def test_runs_that_would_fail_are_named_beside_the_others(tmp_path: Path) -> None:
    there, absent = "tests.lightning.networks.GaussianNetwork", "tests.absent.Network"
    swept = ["eta=0,7", f"model.network._target_={there},{absent}"]
    done = run_cli(tmp_path, "-m", *TINY, *QUICK, "stages=[invert]", *swept, "dry_run=true")
    assert done.returncode == 2
    assert "Run 1 would fail: eta must lie between 0" in done.stdout
    assert "Run 2 would fail: Error locating target 'tests.absent.Network'" in done.stdout
    assert "Network calls: 24 to do" in done.stdout
    assert "3 of 4 runs would fail" in done.stderr and "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


def test_a_single_run_that_would_fail(tmp_path: Path) -> None:
    done = run_cli(tmp_path, *TINY, *QUICK, "stages=[sample]", "dry_run=true")
    assert done.returncode == 2
    assert "12 of its latents are not in the store. Add invert to stages" in done.stderr
    wrong = run_cli(tmp_path, "dry_run=maybe")
    assert wrong.returncode == 2 and "dry_run must be true or false, but got 'maybe'" in wrong.stderr


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    settings = [
        "batch_size=auto",
        "solver=fixed_point",
        "selection=geometric",
        "stages=[inspect,invert,sample]",
    ]
    done = run_cli(tmp_path, *TINY, *settings, "n_references=12", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "batch_size=auto: the calls that measure it" in done.stdout
    assert "solver=fixed_point stops when an image has converged: 3 to 61 calls to invert one" in done.stdout
    assert "selection=geometric: fewer calls to sample" in done.stdout
    assert "36 to 732" in done.stdout


def test_plans_may_come_from_other_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever launcher ran the runs: what counts is what they left in their folders."""
    monkeypatch.setattr(Sweep, "path", None)
    show_sweep()
    assert capsys.readouterr().out == ""
    config = OmegaConf.create({"output": "rich", "hydra": {"sweep": {"dir": str(tmp_path)}}})
    leave(tmp_path / "7", Plan())
    Sweep().on_multirun_start(config)
    assert not list(tmp_path.rglob("dry_run.json")), "an earlier sweep's plan is not this one's"
    one = Plan([Work("invert", "bank", {"a": False}, Calls(5, 5), 1)], "bank", {"bank": {"a": False}})
    for name, eta in (("10", 1.0), ("2", 0.0)):
        write_run(tmp_path / name, f"eta={eta}", eta=eta)
        leave(tmp_path / name, one)
    show_sweep()
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.split()[:1] in (["0"], ["1"])]
    assert rows == [["0", "0", "bank", "5"], ["1", "1", "bank", "0"]]
    leave(tmp_path / "2", Plan(mistake="no such thing"))
    with pytest.raises(UserError, match=r"1 of 2 runs would fail\. no such thing"):
        show_sweep()


def leave(folder: Path, plan: Plan) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "dry_run.json").write_text(json.dumps(plan.as_json()))
