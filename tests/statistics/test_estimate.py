"""Monte-Carlo p-values and their range."""

import dataclasses
import json

import numpy as np
import pytest

from ood_diffusion.statistics.estimate import Estimate, null_test


def test_p_values_count_the_statistic_itself() -> None:
    null = np.arange(19.0)
    assert null_test(100.0, null, 5, one_sided=True).p_value == 1 / 20
    assert null_test(100.0, null, 5).p_value == null_test(-1.0, null, 5).p_value == 2 / 20
    assert null_test(-1.0, null, 5, one_sided=True).p_value == 1.0
    assert null_test(9.0, null, 5).p_value == 1.0


def test_ties_speak_for_the_null() -> None:
    assert (
        null_test(1.0, np.ones(99), 5).p_value
        == null_test(1.0, np.ones(99), 5, one_sided=True).p_value
        == 1.0
    )


def test_range_of_the_null() -> None:
    found = null_test(0.0, np.linspace(0, 1, 1001), 5)
    assert (found.null_mean, found.null_low, found.null_high) == pytest.approx((0.5, 0.025, 0.975))


def test_results_go_to_json() -> None:
    for result in (Estimate(1.0, 0.0, 2.0, 3), null_test(1.0, np.arange(5), 7)):
        assert json.loads(json.dumps(dataclasses.asdict(result))) == dataclasses.asdict(result)
