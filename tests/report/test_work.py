"""What runs cost together: shared results count once, filled batches count in full."""

import json

import pytest

from ood_diffusion.report.plan.table import ranges
from ood_diffusion.report.plan.words import duration, failures, span
from ood_diffusion.report.plan.work import Calls, Plan, Work, spent, total


def work(items: str, store: str = "s", stage: str = "invert", batch: int = 4, there: str = "") -> Work:
    return Work(stage, store, {i: i in there for i in items}, Calls(10, 10), batch)


def calls(*plans: Plan, stored: bool = True, shared: bool = True) -> list[int]:
    return [sum(c.most for c in cost.values()) for cost in spent(plans, stored, shared)]


@pytest.mark.parametrize(
    ("items", "batch", "rows"), [(8, 4, 8), (9, 4, 12), (9, 32, 9), (1, 4, 4), (0, 4, 0)]
)
def test_the_last_batch_is_filled_and_none_is_larger_than_what_is_asked_for(
    items: int, batch: int, rows: int
) -> None:
    assert work("abcdefghi", batch=batch).cost(items).most == 10 * rows


def test_runs_share_what_they_have_in_common() -> None:
    first, second, elsewhere = (Plan([work("abcd")]), Plan([work("cdef")]), Plan([work("cdef", store="t")]))
    assert calls(first, second, elsewhere) == [40, 40, 40]  # two of four fill a batch of four
    assert calls(first, first) == [40, 0]
    assert calls(first, first, shared=False) == [40, 40]


def test_the_order_of_runs_matters_for_what_fills_a_batch() -> None:
    few, many = Plan([work("ab")]), Plan([work("abcd")])
    assert sum(calls(few, many)) == 20 + 40
    assert sum(calls(many, few)) == 40


def test_what_is_on_disk_is_not_done_again() -> None:
    plan = Plan([work("abcdef", there="ab")])
    assert calls(plan) == [40] and calls(plan, stored=False) == [80]


def test_both_bounds_are_kept() -> None:
    plan = Plan([Work("invert", "s", {"a": False}, Calls(3, 7), 1)])
    assert total(spent([plan])) == (3, 7)
    assert span(Calls(3, 7)) == "3 to 7" and span(Calls(1000, 1000)) == "1,000"


def test_a_plan_survives_the_way_through_json() -> None:
    plan = Plan(
        [work("ab", there="b")], "bank", {"bank": {"a": True}}, ["digest", "fp32", False], "out", ["n"], "no"
    )
    assert Plan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_a_run_without_its_latents_would_fail() -> None:
    inverting = Plan([work("ab", store="bank")], "bank", {"bank": {"a": False, "b": False}})
    using = Plan([work("xy", stage="sample")], "bank", {"bank": {"a": False, "b": False, "c": True}})
    other = Plan([work("xy", stage="sample")], "other", {"other": {"a": False}})
    judging = Plan((), "bank", {"bank": {"c": True}, "s": {"x": False, "y": False, "z": False}})
    assert failures([inverting, using]) == {}
    assert list(failures([using, inverting, other])) == [0, 2]
    assert failures([inverting, using, judging]) == {
        2: "1 of its images are not in the store. Add sample to stages."
    }
    assert "2 of its latents" in failures([using])[0] and "Add invert" in failures([using])[0]
    assert failures([Plan(mistake="no")]) == {0: "no"}


def test_words() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert [duration(s) for s in (3, 100, 400, 9000)] == ["3 s", "100 s", "6.7 min", "2.5 h"]
