"""`python -m benchmarks.scale`: the tables of docs/scale.md.

Workers compute a run, then make its requests to one file server, which serves them one by one: a closed
queueing network, solved exactly (mean value analysis, Reiser & Lavenberg 1980). No sleeping, no clock.
"""

from collections.abc import Iterator
from itertools import count, islice

REQUESTS = 520
"""Of a run that finds most of what it needs: opens, stats, renames and listings in `outputs`, counted by
``strace -f -e trace=%file,fsync`` on the second run of a sweep (24 references, 32 samples, no W&B)."""
RUNS = {"20 s": 20.0, "2 min": 120.0, "10 min": 600.0}
"""Seconds of a run outside the file system."""
SERVERS = {
    "local disk": (0.00001, 100_000.0),
    "NFS": (0.0005, 10_000.0),
    "busy parallel file system": (0.005, 5_000.0),
    "object store behind a mount": (0.05, 3_000.0),
}
"""Latency in seconds, and requests served a second: orders of magnitude, to be replaced by one's own."""
WORKERS = (64, 512)
BENT = 0.9
"""Of the runs that would end without a file system: below it the server is what limits."""


MOST = 100_000
"""Workers: beyond that the table gives no number."""


def efficiencies(compute: float, latency: float, rate: float) -> Iterator[float]:
    """Runs that end in a time, over those that would if requests took no time: of 1, 2, … workers."""
    waiting = 0.0
    for n in count(1):
        response = (1 + waiting) / rate
        ended = n / (compute + REQUESTS * (latency + response))
        waiting = ended * REQUESTS * response
        yield ended * compute / n


def table() -> list[str]:
    """A row for every server and length of a run."""
    lines = [f"| file server | a run takes | {' | '.join(f'{n} workers' for n in WORKERS)} | bends at |"]
    lines.append("|---|---|" + "---|" * (len(WORKERS) + 1))
    for name, (latency, rate) in SERVERS.items():
        for length, compute in RUNS.items():
            found = list(islice(efficiencies(compute, latency, rate), MOST))
            at = next((n for n, share in enumerate(found, 1) if share < BENT), None)
            where = f"{at:,}" if at else f"> {MOST:,}"
            shown = " | ".join(f"{found[n - 1]:.0%}" for n in WORKERS)
            lines.append(f"| {name} | {length} | {shown} | {where} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
