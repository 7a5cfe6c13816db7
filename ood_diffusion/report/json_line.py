"""A run as one line of JSON, for scripts: short enough that lines of several processes never mix."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ood_diffusion.report.plan.words import failures
from ood_diffusion.report.plan.work import Plan, spent
from ood_diffusion.report.results import as_json

SECTIONS = ("coordinates", "model", "reconstruct", "sample", "metrics", "claims", "cost")
"""Of `results.json`, as they are there but for the intervals."""
LEFT_OUT = {"metrics": ("better", "intervals", "making")}
"""Parts of a section that only `results.json` has."""


def json_line(folder: Path) -> str:
    """The figures of a finished run and where its files are, from the `results.json` in its folder.

    Returns:
        One line without its end. `report` is null where this run wrote none.
    """
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    found = {name: results[name] for name in SECTIONS if name in results}
    for name, parts in LEFT_OUT.items():
        if name in found:
            found[name] = {key: value for key, value in found[name].items() if key not in parts}
    reported = "report" in results.get("cost", {}).get("seconds", {})
    paths = {"folder": folder, "results": folder / "results.json"}
    page = folder / "report.html"
    report = str(page) if reported and page.exists() else None
    return one_line({**{name: str(path) for name, path in paths.items()}, "report": report, **found})


def plan_lines(plans: Mapping[Path, Plan]) -> list[str]:
    """Of every planned run: folder, network calls by stage (fewest, most), why it would fail."""
    reasons = failures(list(plans.values()))
    return [
        one_line(
            {
                "folder": str(folder),
                "dry_run": True,
                "network_calls": {stage: calls._asdict() for stage, calls in cost.items()},
                "mistake": reasons.get(i),
            }
        )
        for i, (folder, cost) in enumerate(zip(plans, spent(plans.values()), strict=True))
    ]


def one_line(found: Mapping[str, Any]) -> str:
    """`found` as JSON without line breaks; NaN and infinities become `null`."""
    return json.dumps(as_json(dict(found)), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
