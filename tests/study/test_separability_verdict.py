"""C3's rules: only a difference from the null supports; its absence denies nothing."""

import pytest

from ood_diffusion.statistics.estimate import Estimate, NullTest
from ood_diffusion.statistics.intervals import auc_interval
from ood_diffusion.study.analyse.separability import distant, separable


@pytest.mark.parametrize(("p_value", "verdict"), [(0.005, "supported"), (0.05, "inconclusive")])
def test_verdict_follows_the_p_value(p_value: float, verdict: str) -> None:
    test = NullTest(0.97, 0.5, 0.4, 0.6, p_value, 192)
    trivial = NullTest(0.874, 0.5, 0.4, 0.6, 0.5, 192)
    check = separable(test, trivial, 500.0, "p.svg")
    assert check.verdict == verdict and check.found == auc_interval(test)
    assert "0.874" in check.against and check.against_found.high == 0.6  # the null is of the latents' AUC
    interval = Estimate(0.97, 0.9, 1.1, 192)
    assert distant(test, interval, 500.0, "").verdict == verdict
    assert distant(test, interval, 500.0, "").found == interval
