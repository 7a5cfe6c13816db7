"""Help, user errors, and runs that compute nothing

Whole processes from start to exit, alternating: `python -c "import torch"`, `ood-diffusion --help` and
`ood-diffusion steps=-1`, which ends with an error message; then the main job of 48 references, 128 held-out
images and 48 samples, all of it in the store, with W&B offline, against the import of the four libraries
that it is made of. Each ratio is of two consecutive processes. What a further run of a sweep costs is the
difference of cached sweeps of three runs and of one, per run.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks.measure import Figure, alternate, figure, ratios

ROUNDS, ROUNDS_CACHED = 7, 3
CACHED = ["n_references=48", "n_held_out=128", "n_samples=48"]
IMPORTS = "import torch, pytorch_lightning, torchmetrics, wandb"
CASES = {
    "import torch": ["-c", "import torch"],
    "--help": ["-m", "ood_diffusion", "--help"],
    "steps=-1": ["-m", "ood_diffusion", "steps=-1"],
}


def run() -> list[Figure]:
    """Help and one mistake against the import that they do without; then `cached`."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = alternate({name: partial(call, folder, words) for name, words in CASES.items()}, ROUNDS)
        more = cached(folder)
    imports = seconds.pop("import torch")
    return [
        figure(
            f"`ood-diffusion {name}`, time against `import torch`",
            ratios(ours, imports),
            target=1.0,
            better="lower",
            detail=f"{statistics.median(ours):.2f} s against {statistics.median(imports):.2f} s",
        )
        for name, ours in seconds.items()
    ] + more


def cached(folder: str) -> list[Figure]:
    """Runs that find everything in the store, in `folder`, after one that fills it."""
    one, three = (
        ["-m", "ood_diffusion", "-m", "seed=0", *CACHED],
        ["-m", "ood_diffusion", "-m", "seed=0,1,2", *CACHED],
    )
    four, middle = "the import of PyTorch, Lightning, torchmetrics and W&B", statistics.median
    cases = {"torch": ["-c", "import torch"], "four": ["-c", IMPORTS], "one": one, "three": three}
    call(folder, three)  # `alternate` does not count its first round, but that is to find the store full
    seconds = alternate({name: partial(call, folder, words) for name, words in cases.items()}, ROUNDS_CACHED)
    further = [(many - few) / 2 for many, few in zip(seconds["three"], seconds["one"], strict=True)]
    return [
        figure(
            f"a cached run, time against {four}",
            ratios(seconds["one"], seconds["four"]),
            target=1.4,
            better="lower",
            detail=f"{middle(seconds['one']):.1f} s against {middle(seconds['four']):.1f} s",
        ),
        figure(
            "a further cached run of a sweep, time against `import torch`",
            ratios(further, seconds["torch"]),
            target=0.3,
            better="lower",
            detail=f"{middle(further):.1f} s each",
        ),
    ]


def call(folder: str, arguments: list[str]) -> None:
    """One process, in `folder`, which may exit with any status."""
    offline = {**os.environ, "WANDB_MODE": "offline"}
    subprocess.run([sys.executable, *arguments], cwd=folder, env=offline, capture_output=True, check=False)
