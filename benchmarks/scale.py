"""`python -m benchmarks.scale`: the tables of docs/scale.md.

Workers compute a run, then make its requests to one file server, which serves them one by one: a closed
queueing network, solved exactly (mean value analysis, Reiser & Lavenberg 1980). No sleeping, no clock.
"""

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


def efficiency(workers: int, compute: float, latency: float, rate: float) -> float:
    """Runs that end in a time, over those that would if requests took no time."""
    waiting, ended = 0.0, 0.0
    for n in range(1, workers + 1):
        response = (1 + waiting) / rate
        ended = n / (compute + REQUESTS * (latency + response))
        waiting = ended * REQUESTS * response
    return ended * compute / workers


def bend(compute: float, latency: float, rate: float) -> int:
    """The number of workers from which the efficiency is below `BENT`, at most 100,000."""
    low, high = 0, 100_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if efficiency(middle, compute, latency, rate) >= BENT else (low, middle)
    return high


def main() -> None:
    """Print a row for every server and length of a run."""
    print(f"| file server | a run takes | {' | '.join(f'{n} workers' for n in WORKERS)} | bends at |")
    print("|---|---|" + "---|" * (len(WORKERS) + 1))
    for name, (latency, rate) in SERVERS.items():
        for length, compute in RUNS.items():
            found = [f"{efficiency(n, compute, latency, rate):.0%}" for n in WORKERS]
            at = bend(compute, latency, rate)
            where = f"{at:,}" if at > 1 else "one"
            print(f"| {name} | {length} | {' | '.join(found)} | {where} |")


if __name__ == "__main__":
    main()
