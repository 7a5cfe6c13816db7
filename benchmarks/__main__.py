"""`python -m benchmarks [name …]`: run benchmarks and write docs/benchmarks.{json,md}.

A benchmark is a module of this folder with `run() -> list[Figure]`; its docstring is its heading.
Figures of benchmarks that are not run again stay as they are.
"""

import json
import platform
import sys
from dataclasses import asdict
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.measure import Figure

ALL = ("network", "job", "calls", "selection", "memory", "sweep", "metrics", "startup", "large_network")
DOCS = Path(__file__).parents[1] / "docs"


def main(names: list[str]) -> None:
    """Run `names` (all of them if empty), one after the other."""
    unknown = set(names) - set(ALL)
    if unknown:
        raise SystemExit(f"benchmarks are {', '.join(ALL)}, but got {', '.join(sorted(unknown))}")
    path = DOCS / "benchmarks.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in names or ALL:
        module = import_module(f"benchmarks.{name}")
        print(f"== {name}", flush=True)
        figures: list[Figure] = module.run()
        found[name] = {
            "title": (module.__doc__ or "").strip(),
            "machine": machine(),
            "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
        }
        path.write_text(
            json.dumps({k: found[k] for k in ALL if k in found}, indent=1, ensure_ascii=False) + "\n"
        )
        (DOCS / "benchmarks.md").write_text(page(json.loads(path.read_text())))
        print("\n".join(row(figure) for figure in found[name]["figures"]), flush=True)


def machine() -> dict[str, str]:
    """What the figures were measured on, without naming the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return {
        "processor": f"{model}, {torch.get_num_threads()} threads, {gpu}",
        "versions": f"torch {version('torch')}, diffusers {version('diffusers')}",
        "date": date.today().isoformat(),
    }


def page(found: dict[str, dict[str, object]]) -> str:
    """The Markdown page."""
    parts = [(Path(__file__).parent / "page.md").read_text()]
    for name, entry in found.items():
        title, _, text = str(entry["title"]).partition("\n\n")
        where: dict[str, str] = entry["machine"]  # type: ignore[assignment]
        rows = "\n".join(row(figure) for figure in entry["figures"])  # type: ignore[attr-defined]
        parts.append(
            f"## {name}: {title}\n\n{text}\n\n"
            "| what | median | spread | target | met | absolute |\n|---|---|---|---|---|---|\n"
            f"{rows}\n\n*{where['processor']}; {where['versions']}; {where['date']}*\n"
        )
    return "\n".join(parts)


def row(figure: dict[str, object]) -> str:
    """One line of the table."""
    sign = {"higher": "≥", "lower": "≤"}[str(figure["better"])]
    unit = f" {figure['unit']}" if figure["unit"] != "×" else "×"
    target = "" if figure["target"] is None else f"{sign} {figure['target']:g}{unit}"
    met = {True: "yes", False: "**no**", None: ""}[figure["met"]]  # type: ignore[index]
    return (
        f"| {figure['what']} | {figure['median']:.3g}{unit} | {figure['low']:.3g} … {figure['high']:.3g} "
        f"| {target} | {met} | {figure['detail']} |"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
