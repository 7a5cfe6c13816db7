"""What a plan knows of the store is what the run then finds there, call by call."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ood_diffusion.report.plan.work import spent
from ood_diffusion.report.results import Results
from ood_diffusion.runs.execute import run_in_order
from ood_diffusion.runs.known import Known
from ood_diffusion.runs.plan import plan_run
from ood_diffusion.runs.run import Run
from ood_diffusion.stages.invert import invert
from ood_diffusion.stages.reconstruct import reconstruct
from ood_diffusion.stages.sample import sample
from tests.cli import MEANS, QUICK
from tests.runs.test_run import made

JOB = "stages=[invert,reconstruct,sample,evaluate]"


def some(run: Run) -> None:
    """Five of twelve references."""
    few = run.at(subset=dict(list(run.references.items())[:5]))
    invert(few)
    reconstruct(few)


def half(run: Run) -> None:
    """All latents, five of them decoded, and three of eight samples."""
    some(run)
    invert(run)
    sample(run.at(n_samples=3))


def whole(run: Run) -> None:
    invert(run)
    reconstruct(run)
    sample(run)


def planned(run: Run) -> dict[str, int]:
    (cost,) = spent([plan_run(run)])
    assert all(calls.least == calls.most for calls in cost.values())
    return {stage: calls.most for stage, calls in cost.items()}


def made_calls(run: Run) -> dict[str, int]:
    """The network calls of the main stages; none of those that only look."""
    run_in_order(run, run.stages, Results(), lambda last: None)
    return {stage: n for stage, n in run.workspace.cost["network_calls"].items() if stage != "evaluate"}


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ((), ("eta=0.5", "batch_size=5")),
        ((), ("solver=heun", "steps=3")),
        ((some,), ("eta=0.5", "batch_size=5")),
        ((half,), ("eta=0.5", "batch_size=5")),
        ((half,), ("sampler=draw",)),
        ((whole,), ("eta=0.5",)),
    ],
)
def test_the_plan_is_what_the_run_then_does(
    before: Sequence[object], words: tuple[str, ...], tmp_path: Path
) -> None:
    for fill in before:
        fill(made(tmp_path, *QUICK, *MEANS, *words))  # type: ignore[operator]
    plan = planned(made(tmp_path, *QUICK, *MEANS, JOB, *words))
    run = made(tmp_path, *QUICK, *MEANS, JOB, *words)
    assert made_calls(run) == plan
    assert (sum(plan.values()) == 0) == (before == (whole,))
    assert planned(made(tmp_path, *QUICK, *MEANS, JOB, *words)) == dict.fromkeys(plan, 0)


def test_nothing_is_rendered_written_or_computed(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK, *MEANS, JOB)
    plan_run(run)
    assert list(tmp_path.iterdir()) == [] and run.images.found() == {"domain": {}, "training_domain": {}}
    whole(run)
    calls, before = run.model.network_calls, {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    plan_run(made(tmp_path, *QUICK, *MEANS, JOB))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert run.model.network_calls == calls


def there(folder: Path, *words: str) -> list[bool]:
    """Which samples of a run with these settings are known to be on disk."""
    return list(Known(made(folder, *QUICK, *MEANS, *words)).samples.values())


@pytest.mark.slow
def test_samples_that_were_made_among_more_or_fewer_are_known(tmp_path: Path) -> None:
    """Whatever else their address holds that does not change them."""
    whole(made(tmp_path, *QUICK, "eta=0.5"))
    assert there(tmp_path, "eta=0.5", "n_samples=6") == [True] * 6
    assert there(tmp_path, "eta=0.5", "n_samples=11") == [True] * 8 + [False] * 3
    for same in ("prior=gaussian", "selection.max_proposals=7", "batch_size=3", "n_held_out=9"):
        assert all(there(tmp_path, "eta=0.5", same)), same
    for other in ("eta=0", "seed=1", "level=300", "sampler=draw", "n_references=11", "domain.seed=1"):
        assert not any(there(tmp_path, "eta=0.5", other)), other


def test_where_the_prior_is_used_it_counts(tmp_path: Path) -> None:
    whole(made(tmp_path, *QUICK, "sampler=draw"))
    assert all(there(tmp_path, "sampler=draw"))
    assert not any(there(tmp_path, "sampler=draw", "prior=gaussian"))


def test_draws_without_their_images_are_not_samples_yet(tmp_path: Path) -> None:
    run = made(tmp_path, *QUICK)
    whole(run)
    assert there(tmp_path, "eta=1") == [False] * 8
    sample(run.at(eta=1.0, n_samples=6))
    assert there(tmp_path, "eta=1") == [True] * 6 + [False] * 2
