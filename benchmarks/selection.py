"""Geometric selection in blocks, against one candidate at a time.

The loop is the published script's arithmetic, in float32 torch: per candidate it draws ten references and
goes through them three times in Python (distance; angle at the origin; angle at the candidate with the next
reference), timed on 32 to 64 candidates. Ours draws the same references from the same generators, in the
blocks of `samplers/propose.py`, and averages over all 45 pairs instead of ten. Before timing, both must
decide alike, the loop then over all pairs as well. What the memory allows is the time to read a candidate
and its ten references once, at the speed at which this machine copies (bytes read and written). Memory is
the peak of a fresh process above what it held after learning from the references.
"""

import math
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.measure import Figure, alternate, figure, ratios
from ood_diffusion.samplers.propose import BLOCK
from ood_diffusion.samplers.selection import Geometric
from ood_diffusion.seeding import generator

COMPANIONS = 10
ROUNDS = 5


def run() -> list[Figure]:
    """Speed at d = 12,288 and 196,608, and memory."""
    return [
        *speed((3, 64, 64), references=1000, candidates=4096, looped=64, target=60.0),
        *speed((3, 256, 256), references=256, candidates=512, looped=32, target=None),
        memory(),
    ]


def speed(
    shape: tuple[int, int, int], references: int, candidates: int, looped: int, target: float | None
) -> list[Figure]:
    """How many times faster a candidate is judged in blocks, and what share of the bound that is."""
    geometric = Geometric(COMPANIONS, tolerance=1.0)
    bank = torch.randn(references, *shape, generator=generator(0, "references"))
    start = time.perf_counter()
    geometric.bind(bank)
    learning = time.perf_counter() - start
    proposals = torch.randn(candidates, *shape, generator=generator(0, "proposals"))
    check(geometric, bank, proposals[:looped])
    seconds = alternate(
        {
            "loop": lambda: loop(bank, proposals[:looped], every_pair=False),
            "blocks": lambda: blocks(geometric, proposals),
        },
        ROUNDS,
    )
    alone = [s / looped for s in seconds["loop"]]
    ours = [s / candidates for s in seconds["blocks"]]
    d, bandwidth = math.prod(shape), copy_bandwidth()
    size = (1 + COMPANIONS) * d * 4
    bound = size / bandwidth
    best = figure("", ratios(alone, [bound] * ROUNDS))
    what = f"{candidates:,} candidates, {references:,} references, d = {d:,}, {COMPANIONS} companions each"
    return [
        figure(
            what,
            ratios(alone, ours),
            detail=f"loop {min(alone) * 1e6:.0f} µs, blocks {min(ours) * 1e6:.0f} µs each (best rounds); "
            f"learning from the references once: {learning:.2f} s",
        ),
        figure(
            f"the same, share of what the memory allows, which is {best.median:.0f}×",
            [100 * bound / s for s in ours],
            unit="%",
            target=target,
            detail=f"{size / 1e3:.0f} kB per candidate at {bandwidth / 1e9:.0f} GB/s",
        ),
    ]


def blocks(geometric: Geometric, proposals: Tensor) -> Tensor:
    """Boolean ``[candidates]``: kept or not, as `propose` asks."""
    kept = []
    for first in range(0, len(proposals), BLOCK):
        block = proposals[first : first + BLOCK]
        streams = [generator(0, "selection", first + j) for j in range(len(block))]
        kept.append(torch.stack(list(geometric.judge(block, streams).values())).all(dim=0))
    return torch.cat(kept)


def loop(bank: Tensor, proposals: Tensor, every_pair: bool) -> list[tuple[float, float, float]]:
    """Mean distance, origin angle and pair angle of each candidate, one at a time."""
    xs, found = bank.flatten(1), []
    for j, z in enumerate(proposals.flatten(1)):
        chosen = torch.randperm(len(xs), generator=generator(0, "selection", j))[:COMPANIONS].tolist()
        far = [float(torch.sqrt(torch.sum((z - xs[i]) ** 2))) for i in chosen]
        origin = []
        for i in chosen:
            u, v = z / torch.norm(z), xs[i] / torch.norm(xs[i])
            origin.append(degrees(torch.dot(u, v) / (torch.norm(u) * torch.norm(v))))
        pair = []
        following = zip(chosen, chosen[1:] + chosen[:1], strict=True)
        for i, k in combinations(chosen, 2) if every_pair else following:
            u, v = xs[i] - z, xs[k] - z
            pair.append(degrees(torch.dot(u / torch.norm(u), v / torch.norm(v))))
        found.append((fmean(far), fmean(origin), fmean(pair)))
    return found


def degrees(cosine: Tensor) -> float:
    """The angle in degrees."""
    return math.degrees(float(torch.acos(cosine)))


def check(geometric: Geometric, bank: Tensor, proposals: Tensor) -> None:
    """Stop unless both decide alike, about some candidates yes and about some no."""
    targets = list(geometric.target.values())
    alone = [
        all(abs(f - m) <= geometric.tolerance * sd for f, (m, sd) in zip(figures, targets, strict=True))
        for figures in loop(bank, proposals, every_pair=True)
    ]
    if alone != blocks(geometric, proposals).tolist() or len(set(alone)) != 2:
        raise SystemExit("the two decide differently, or never differ from candidate to candidate")


def copy_bandwidth() -> float:
    """Bytes read and written per second by the fastest of a few copies of 256 MiB."""
    source = torch.ones(1 << 26)
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(alternate({"copy": lambda: target.copy_(source)}, ROUNDS)["copy"])


def memory() -> Figure:
    """How much more memory 4,096 candidates take than 512 (Linux: resets and reads the kernel's peak)."""
    command = [sys.executable, "-m", "benchmarks.selection"]
    root = Path(__file__).parents[1]
    peaks = {
        count: [float(subprocess.check_output([*command, str(count)], cwd=root)) for _ in range(3)]
        for count in (512, 4096)
    }
    few, many = (figure("", peaks[count]) for count in (512, 4096))
    return figure(
        "peak memory for 4,096 candidates minus that for 512, 1,000 references, d = 12,288",
        [b - a for a, b in zip(peaks[512], peaks[4096], strict=True)],
        unit="MiB",
        target=4.0,
        better="lower",
        detail=f"growth {few.median:.1f} MiB for 512, {many.median:.1f} MiB for 4,096 (a candidate block, "
        f"{BLOCK * 12288 * 4 / 2**20:.0f} MiB, fits in what learning has freed)",
    )


def peak(candidates: int) -> float:
    """MiB at the peak above what this process holds when it starts to draw and judge."""
    geometric = Geometric(COMPANIONS, tolerance=1.0)
    geometric.bind(torch.randn(1000, 3, 64, 64))
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    for first in range(0, candidates, BLOCK):
        streams = [generator(0, "selection", first + j) for j in range(BLOCK)]
        geometric.judge(torch.randn(BLOCK, 3, 64, 64), streams)
    return (status("VmHWM") - before) / 1024


def status(name: str) -> int:
    """A line of /proc/self/status in KiB."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


if __name__ == "__main__":
    print(peak(int(sys.argv[1])))
