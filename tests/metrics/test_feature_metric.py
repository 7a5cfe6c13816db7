"""What every metric promises about batches, ranks, collections and bad input."""

import pytest
import torch
import torch.multiprocessing as mp
from torchmetrics import MetricCollection

from ood_diffusion.checks import UserError
from ood_diffusion.metrics.fid import FID
from ood_diffusion.metrics.kid import KID
from ood_diffusion.metrics.prdc import PRDC

pytestmark = pytest.mark.slow

METRICS = (FID, KID, PRDC)


def collection():
    return MetricCollection({kind.__name__: kind() for kind in METRICS})


def feed(metric, real, generated, batch=1000):
    for side, is_real in ((real, True), (generated, False)):
        for rows in side.split(batch):
            metric.update(rows, real=is_real)
    return metric


def numbers(metric):
    return {name: value.item() for name, value in metric.compute().items()}


@pytest.fixture
def wanted(sets):
    """Each metric alone, in one batch."""
    return {k: v for kind in METRICS for k, v in numbers(feed(kind(), *sets)).items()}


def test_a_collection_holds_them_all(sets, wanted):
    metrics = feed(collection(), *sets, batch=64)
    assert numbers(metrics) == pytest.approx(wanted, rel=1e-9)
    assert sorted(map(len, metrics.compute_groups.values())) == [1, 2], "row metrics share their rows"
    metrics.reset()
    assert numbers(feed(metrics, *sets)) == pytest.approx(wanted, rel=1e-9)


def test_metrics_name_what_they_return_and_say_which_way_is_better(sets):
    for kind in METRICS:
        assert set(numbers(feed(kind(), *[x[:9] for x in sets]))) == set(kind.names)
        assert [each.path for each in kind().declared()] == list(kind.names)
        assert {each.better for each in kind().declared()} == {"higher" if kind.higher_is_better else "lower"}


@pytest.mark.parametrize("batch", [1, 37])
def test_batches_and_order_do_not_matter(sets, wanted, batch):
    shuffled = [x[torch.randperm(len(x), generator=torch.Generator().manual_seed(3))] for x in sets]
    assert numbers(feed(collection(), *shuffled, batch=batch)) == pytest.approx(wanted, rel=1e-9)


def test_float32_features_are_accumulated_in_float64(sets, wanted):
    got = feed(collection(), sets.real.float(), sets.generated.float(), batch=10).compute()
    assert {value.dtype for value in got.values()} == {torch.float64}
    assert {name: value.item() for name, value in got.items()} == pytest.approx(wanted, rel=1e-4, abs=0.01)


@pytest.mark.parametrize("kind", METRICS)
def test_states_merge(sets, kind):
    first = feed(kind(), sets.real[:100], sets.generated[:50])
    first.merge_state(feed(kind(), sets.real[100:], sets.generated[50:]))
    first.update(sets.real[:10], real=True)
    whole = feed(kind(), torch.cat([sets.real, sets.real[:10]]), sets.generated)
    assert numbers(first) == pytest.approx(numbers(whole), rel=1e-9)


def rank_main(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    real, generated = torch.load(f"{folder}/sets.pt")
    split = feed(collection(), real[rank::2], generated[rank::2], batch=33)
    lopsided = collection()  # rank 1 holds no generated image, as when a resumed run has one left to do
    feed(lopsided, real[rank::2], generated if rank == 0 else generated[:0])
    idle = collection()  # rank 1 holds nothing at all
    if rank == 0:
        feed(idle, real, generated)
    torch.save([numbers(metric) for metric in (split, lopsided, idle)], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_two_processes_equal_one(tmp_path, sets, wanted):
    torch.save(list(sets), tmp_path / "sets.pt")
    mp.start_processes(rank_main, args=(str(tmp_path),), nprocs=2, start_method="fork")
    for rank in range(2):
        for got in torch.load(tmp_path / f"{rank}.pt"):
            assert got == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(3), r"features must be floating point of shape \[B, d\], but got 'torch.float32 \[3\]'"),
        (torch.zeros(3, 2, dtype=torch.int64), "features must be floating point"),
        (
            torch.tensor([[0.0, torch.nan], [0, 0]]),
            "features must be finite, but got '1 of 2 images with NaN",
        ),
        (torch.tensor([[0.0, torch.inf]]), "features must be finite"),
        (torch.zeros(3, 5), "features must keep d = 2 numbers per image, but got 5"),
    ],
)
@pytest.mark.parametrize("kind", METRICS)
def test_bad_features(kind, bad, message):
    metric = kind()
    metric.update(torch.zeros(4, 2), real=True)
    with pytest.raises(UserError, match=message):
        metric.update(bad, real=False)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("kind", METRICS)
def test_no_image_at_all(kind):
    with pytest.raises(UserError, match="real images, but got 0"):
        kind().compute()
