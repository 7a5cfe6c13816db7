"""The distance sees what was done to fields, in any unit, and stays small between sets of one kind."""

import pytest
import torch
from torch import Tensor

from ood_diffusion.checks import UserError
from ood_diffusion.domains.density_sim import DensitySim
from ood_diffusion.metrics.feature_metric import of_images
from ood_diffusion.metrics.fid import FID
from ood_diffusion.metrics.field_distance import FieldDistance, shares, standardised, summaries
from ood_diffusion.statistics.feature_intervals import NORMAL, fid_influence


@pytest.fixture(scope="module")
def clouds() -> Tensor:
    domain = DensitySim(32)
    return torch.stack([domain.render("references", i) for i in range(300)])


def distance(generated: Tensor, real: Tensor) -> float:
    metric = FieldDistance()
    metric.update(real, real=True)
    for part in generated.split(60):
        metric.update(part, real=False)
    return float(metric.compute()["field_distance"])


def test_sets_of_one_kind_are_near_and_each_change_is_seen(clouds: Tensor) -> None:
    a, real = clouds[:100], clouds[100:]
    own = distance(a, real)
    order = torch.randperm(1024, generator=torch.Generator().manual_seed(0))
    changed = {
        "scrambled": a.flatten(2)[..., order].view_as(a),
        "averages of two": (a + a.roll(1, 0)) / 2**0.5,
        "fainter": a - 0.3,
        "upside down": -a,
        "smooth": torch.nn.functional.avg_pool2d(a, 3, 1, 1),
    }
    found = {name: distance(each, real) for name, each in changed.items()}
    assert min(found.values()) > 1.5 * own, (own, found)
    assert distance(a.flip(-1), real) == pytest.approx(own, rel=0.2)


def test_units_do_not_matter_but_contrast_does(clouds: Tensor) -> None:
    a, b = clouds[:80], clouds[80:200]
    assert distance(2 * a + 0.1, 2 * b + 0.1) == pytest.approx(distance(a, b), rel=1e-3)
    assert distance(2 * a, b) > 2 * distance(a, b)


def test_it_is_the_frechet_distance_of_standardised_summaries_and_has_an_interval(clouds: Tensor) -> None:
    new, real = clouds[:60], clouds[60:160]
    x, y = summaries(new), summaries(real)
    assert x.shape == (60, 17)
    reference = FID()
    reference.update((y - y.mean(0)) / y.std(0), real=True)
    reference.update((x - y.mean(0)) / y.std(0), real=False)
    found = distance(new, real)
    assert found == pytest.approx(float(reference.compute()["fid"]), rel=1e-6)
    ours, theirs = (FieldDistance().influences(real, new)["field_distance"] for _ in range(2))
    estimate = ours.interval()
    assert estimate.value == pytest.approx(found, rel=1e-6) and estimate.low < found < estimate.high
    assert ours.minus(theirs).interval().value == 0


def test_the_standard_error_is_the_jackknifes_also_far_from_the_real_fields(clouds: Tensor) -> None:
    """Every field left out in turn; a real one moves the unit of every summary, too."""
    x, y = summaries(1.5 * clouds[:60] - 0.2), summaries(clouds[60:160])

    def without(i: int, side: int) -> float:
        left = [torch.cat([each[:i], each[i + 1 :]]) if k == side else each for k, each in enumerate((x, y))]
        return float(fid_influence(*standardised(*left)).value)

    found = FieldDistance().influences(clouds[60:160], 1.5 * clouds[:60] - 0.2)["field_distance"]
    variance = 0.0
    for side, (rows, own) in enumerate(((x, found.of_generated), (y, found.of_real))):
        each = -(len(rows) - 1) * torch.tensor([without(i, side) for i in range(len(rows))])
        assert torch.corrcoef(torch.stack([each, own.float()]))[0, 1] > 0.99
        variance += float(each.var() / len(rows))
    estimate = found.interval()
    assert (estimate.high - estimate.low) / (2 * NORMAL) == pytest.approx(variance**0.5, rel=0.1)
    parts = shares(*standardised(x, y))
    assert float(parts.sum()) == pytest.approx(found.value)


def test_channels_count_with_their_correlation_and_sides_need_not_be_equal() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 100, 1, 24, 16, generator=rng)
    together, apart = torch.cat([a, 0.9 * a + 0.4 * b], dim=1), torch.cat([a, b], dim=1)
    assert summaries(apart).shape == (100, 35)
    assert distance(together[:50], apart[50:]) > 2 * distance(apart[:50], apart[50:])


def test_photographs_and_single_fields_have_none(clouds: Tensor) -> None:
    make = {"fid": FID, "field_distance": FieldDistance}
    assert list(of_images(make, torch.uint8)) == ["fid"] and of_images(make, torch.float32) == make
    with pytest.raises(UserError, match="field_distance must be given at least 2 generated images"):
        distance(clouds[:1], clouds[:9])
    with pytest.raises(UserError, match="features must be finite"):
        FieldDistance().update(torch.full((2, 1, 16, 16), torch.nan), real=True)
