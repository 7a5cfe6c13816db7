"""Geometric selection: a block of proposals by Gram matrices against one at a time in Python.

Both make the same decisions on the same proposals. `python -m benchmarks.selection [proposals] [references]`
"""

import math
import statistics
import sys
import time

import torch
from torch import Tensor

from ood_diffusion.samplers.selection import Geometric
from ood_diffusion.seeding import generator

SHAPE = (3, 64, 64)


def one_at_a_time(geometric: Geometric, z: Tensor, companions: Tensor) -> bool:
    """Algorithm 1 of arXiv 2310.09213 as one would write it for a single candidate."""
    far, origin, pair = [], [], []
    xs = geometric.references[companions].flatten(1)
    z = z.flatten()
    for i, x in enumerate(xs):
        far.append(float((z - x).norm()))
        origin.append(math.degrees(math.acos(float(z @ x / z.norm() / x.norm()))))
        for y in xs[i + 1 :]:
            u, v = x - z, y - z
            pair.append(math.degrees(math.acos(float(u @ v / u.norm() / v.norm()))))
    figures = {"distance": far, "origin_angle": origin, "pair_angle": pair}
    verdicts = []
    for test, values in figures.items():
        mean, sd = geometric.target[test]
        verdicts.append(abs(statistics.fmean(values) - mean) <= geometric.tolerance * sd)
    return all(verdicts)


def main(n_proposals: int = 512, n_references: int = 256) -> None:
    """Print seconds per proposal of both, alternating, and the ratio of each round."""
    geometric = Geometric(companions=10, tolerance=2.0)
    geometric.bind(torch.randn(n_references, *SHAPE, generator=generator(0, "references")))
    proposals = torch.randn(n_proposals, *SHAPE, generator=generator(0, "proposals"))
    ratios = []
    for _ in range(5):
        start = time.perf_counter()
        streams = [generator(0, "selection", j) for j in range(n_proposals)]
        together = torch.stack(list(geometric.judge(proposals, streams).values())).all(dim=0)
        middle = time.perf_counter()
        alone = []
        for j in range(32):
            companions = torch.randperm(n_references, generator=generator(0, "selection", j))[:10]
            alone.append(one_at_a_time(geometric, proposals[j], companions))
        end = time.perf_counter()
        if alone != together[:32].tolist():
            raise SystemExit("the two decide differently")
        ratios.append((end - middle) / 32 / ((middle - start) / n_proposals))
    print(f"geometric selection, {n_proposals} proposals x {n_references} references, d = {math.prod(SHAPE)}")
    print(
        f"blocks are {statistics.median(ratios):.0f}x faster (min {min(ratios):.0f}, max {max(ratios):.0f})"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
