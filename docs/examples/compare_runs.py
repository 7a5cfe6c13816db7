"""The results of several runs as one table and one plot.

ood-diffusion -m eta=0,0.5,1
python compare_runs.py outputs eta

Of each run the folder holds a `results.json`; the second word is the setting in which the runs differ.
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

folder, setting = Path(sys.argv[1]), sys.argv[2]
runs = [json.loads(path.read_text()) for path in folder.rglob("results.json")]
runs = sorted((run for run in runs if "metrics" in run), key=lambda run: run["coordinates"][setting])

# Every figure with an interval has its value, both ends and the number of images.
sets = ("samples", "twin")
print(f"{setting:>12}", *(f"{f'FID of {name}':>26}" for name in sets))
for run in runs:
    fids = [run["metrics"]["intervals"][name]["fid"] for name in sets]
    texts = [f"{fid['value']:.1f} [{fid['low']:.1f}, {fid['high']:.1f}]" for fid in fids]
    print(f"{run['coordinates'][setting]!s:>12}", *(f"{text:>26}" for text in texts))

figure = Figure(layout="constrained")
axes = figure.add_subplot(xlabel=setting, ylabel="FID")
at = [str(run["coordinates"][setting]) for run in runs]
for name in sets:
    fids = [run["metrics"]["intervals"][name]["fid"] for run in runs]
    reach = [[fid["value"] - fid["low"] for fid in fids], [fid["high"] - fid["value"] for fid in fids]]
    values = [fid["value"] for fid in fids]
    axes.errorbar(at, values, reach, fmt="o", capsize=4, label=name)
axes.legend()
figure.savefig("compare_runs.png")
