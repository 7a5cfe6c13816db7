"""Help and user errors

Whole processes from start to exit, alternating: `python -c "import torch"`, `ood-diffusion --help` and
`ood-diffusion steps=-1`, which ends with an error message. Each ratio is of two consecutive processes.
"""

import statistics
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks.measure import Figure, alternate, figure, ratios

ROUNDS = 7
CASES = {
    "import torch": ["-c", "import torch"],
    "--help": ["-m", "ood_diffusion", "--help"],
    "steps=-1": ["-m", "ood_diffusion", "steps=-1"],
}


def run() -> list[Figure]:
    """Help and one mistake against the import that they do without."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = alternate({name: partial(call, folder, words) for name, words in CASES.items()}, ROUNDS)
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
    ]


def call(folder: str, arguments: list[str]) -> None:
    """One process, in `folder`, which may exit with any status."""
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=False)
