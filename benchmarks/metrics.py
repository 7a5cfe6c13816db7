"""Metrics from features against torch-fidelity, prdc and torchmetrics: time and memory

Two sets of 10,000 correlated features (64 directions and noise) of 2,048 float32 numbers. Every case runs on
its own in a fresh process, the cases of a comparison alternate; it is timed from features to figures, after a
call on a corner of them. Memory is the peak resident size minus that with the features loaded. Ratios are
theirs / ours: above 1, ours is faster or smaller. If values disagree, nothing is reported. KID is of all
pairs everywhere (one subset of 10,000), ours in float64, theirs in float32.
`python -m benchmarks.metrics CASE` prints one case as JSON.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import Figure, figure, ratios

IMAGES, WIDTH, ROUNDS = 10_000, 2048, 2
DIRECTIONS, NEIGHBOUR, BATCH = 64, 5, 1000
TOLERANCE = {"precision, recall": 5e-4, "all four": 5e-4, "FID": 1e-5, "KID": 1e-3}
"""Relative; a float32 distance may fall on the other side of a sphere."""


class Same(nn.Module):
    """The extractor that torchmetrics is given: features are features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[B, d]`` as they are."""
        return x


def ours_prc(real: Tensor, generated: Tensor) -> list[float]:
    """Precision and recall, of all four figures."""
    return ours_prdc(real, generated)[:2]


def fidelity_prc(real: Tensor, generated: Tensor) -> list[float]:
    """Precision and recall: since 0.4 the generated set comes first."""
    from torch_fidelity.metric_prc import prc_features_to_metric as measure

    options = {"prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}
    found = measure(generated, real, prc_neighborhood=NEIGHBOUR, **options)
    return [found["precision"], found["recall"]]


def ours_prdc(real: Tensor, generated: Tensor) -> list[float]:
    """Precision, recall, density, coverage."""
    from ood_diffusion.metrics.prdc import prdc

    return [float(x) for x in prdc(real, generated, NEIGHBOUR).values()]


def package_prdc(real: Tensor, generated: Tensor) -> list[float]:
    """Precision, recall, density, coverage."""
    from prdc import compute_prdc

    found = compute_prdc(real.numpy(), generated.numpy(), nearest_k=NEIGHBOUR)
    return [float(found[name]) for name in ("precision", "recall", "density", "coverage")]


def ours_fid(real: Tensor, generated: Tensor) -> list[float]:
    """FID, batch by batch."""
    from ood_diffusion.metrics.fid import FID

    return [float(streamed(FID(), real, generated)["fid"])]


def fidelity_fid(real: Tensor, generated: Tensor) -> list[float]:
    """FID from all features at once, which is all it offers."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = [fid_features_to_statistics(x) for x in (real, generated)]
    return [fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]]


def torchmetrics_fid(real: Tensor, generated: Tensor) -> list[float]:
    """FID, batch by batch."""
    from torchmetrics.image import FrechetInceptionDistance

    return [float(streamed(FrechetInceptionDistance(Same(real.shape[1])), real, generated))]


def ours_kid(real: Tensor, generated: Tensor) -> list[float]:
    """KID of all pairs."""
    from ood_diffusion.metrics.kid import kernel_mmd

    return [float(kernel_mmd(real, generated))]


def fidelity_kid(real: Tensor, generated: Tensor) -> list[float]:
    """KID of all pairs: one subset of all images."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    options = {"kid_subsets": 1, "kid_subset_size": len(real), "rng_seed": 0, "verbose": False}
    return [kid_features_to_metric(real, generated, **options)["kernel_inception_distance_mean"]]


def torchmetrics_kid(real: Tensor, generated: Tensor) -> list[float]:
    """KID of all pairs: one subset of all images."""
    from torchmetrics.image import KernelInceptionDistance

    metric = KernelInceptionDistance(Same(real.shape[1]), subsets=1, subset_size=len(real))
    return [float(streamed(metric, real, generated)[0])]


COMPARISONS = {
    "precision, recall": {"ours": ours_prc, "torch-fidelity": fidelity_prc},
    "all four": {"ours": ours_prdc, "prdc": package_prdc},
    "FID": {"ours": ours_fid, "torch-fidelity": fidelity_fid, "torchmetrics": torchmetrics_fid},
    "KID": {"ours": ours_kid, "torch-fidelity": fidelity_kid, "torchmetrics": torchmetrics_kid},
}
CASES = {case.__name__: case for cases in COMPARISONS.values() for case in cases.values()}


def streamed(metric: Any, real: Tensor, generated: Tensor) -> Any:
    """`compute` of a metric after an update per batch."""
    for x, is_real in ((real, True), (generated, False)):
        for batch in torch.split(x, BATCH):
            metric.update(batch, real=is_real)
    return metric.compute()


def features() -> tuple[Tensor, Tensor]:
    """Real and generated features, made in place, so that nothing bigger was ever resident."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(DIRECTIONS, WIDTH, generator=generator) / DIRECTIONS**0.5
    real, generated = (torch.randn(IMAGES, WIDTH, generator=generator).mul_(0.5) for _ in range(2))
    real.addmm_(torch.randn(IMAGES, DIRECTIONS, generator=generator), mixing)
    generated.addmm_(torch.randn(IMAGES, DIRECTIONS, generator=generator), mixing, alpha=0.9).add_(0.02)
    return real, generated


def one(case: str) -> dict[str, Any]:
    """Seconds, MiB and values of a case in this process."""
    real, generated = features()
    CASES[case](real[:200, :50], generated[:200, :50])
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before = pages * resource.getpagesize() / 2**20
    start = time.perf_counter()
    values = CASES[case](real, generated)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"seconds": seconds, "mib": peak - before, "values": values}


def run() -> list[Figure]:
    """Theirs / ours in time and memory, comparison by comparison."""
    figures = []
    for what, cases in COMPARISONS.items():
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, case in cases.items():
                found[name].append(alone(case.__name__))
        ours = found.pop("ours")
        for name, theirs in found.items():
            for mine, other in zip(ours[0]["values"], theirs[0]["values"], strict=True):
                if abs(mine - other) > TOLERANCE[what] * abs(other):
                    raise SystemExit(
                        f"{what}: ours is {ours[0]['values']}, {name} says {theirs[0]['values']}"
                    )
            for key, word, unit, target in (("seconds", "time", "s", 1.0), ("mib", "memory", "MiB", None)):
                us, them = [x[key] for x in ours], [x[key] for x in theirs]
                detail = f"{min(us):.3g} {unit} against {min(them):.3g} {unit}"
                figures.append(
                    figure(f"{what}: {word}, {name} / ours", ratios(them, us), target=target, detail=detail)
                )
    return figures


def alone(case: str) -> dict[str, Any]:
    """`one` in a fresh process; packages may print before its line."""
    command = [sys.executable, "-m", "benchmarks.metrics", case]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{case}: {result}", flush=True)
    return result


if __name__ == "__main__":
    print(json.dumps(one(*sys.argv[1:])))
