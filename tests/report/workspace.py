"""The script that builds the W&B workspace, and what the workspace it builds asks of the runs."""

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "sweeps" / "wandb" / "workspace.py"


@functools.cache
def script() -> Any:
    """`sweeps/wandb/workspace.py` as a module."""
    spec = importlib.util.spec_from_file_location("workspace", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def view() -> dict[str, Any]:
    """What would be sent to W&B."""
    made = script().workspace("me", "ood-diffusion", "eta_2026")
    found: dict[str, Any] = made._to_model().model_dump(by_alias=True, exclude_none=True, mode="json")
    return found


def panels() -> Iterator[dict[str, Any]]:
    for section in view()["spec"]["section"]["panelBankConfig"]["sections"]:
        yield from section["panels"]


def asked() -> dict[str, set[str]]:
    """The names that the view's panels, columns and order use: of figures, settings and media."""
    found: dict[str, set[str]] = {"summary": set(), "config": set(), "media": set()}
    for text in words(view()):
        kind, _, name = text.partition(":")
        if kind in ("summary", "config") and name:
            found[kind].add(name.removesuffix(".value"))
    (order,) = view()["spec"]["section"]["runSets"][0]["sort"]["keys"]
    assert order["key"]["section"] == "summary"
    found["summary"].add(order["key"]["name"])
    for panel in panels():
        config = panel["config"]
        found["summary"] |= set(config.get("metrics", []))
        found["config"] |= {config["groupBy"].removesuffix(".value")} if "groupBy" in config else set()
        found["media"] |= set(config.get("mediaKeys", []))
        if panel["viewType"] in ("Vega2", "Weave"):
            found["media"] |= {text for text in words(config) if text.startswith("tables/")}
    return found


def shown_figures(section: str) -> set[str]:
    """The figures of one section of `results.json` that the workspace shows."""
    return {name for name in asked()["summary"] if name.startswith(f"{section}/")}


def words(value: Any) -> Iterator[str]:
    """Every text in nested dictionaries and lists, keys too."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, str):
        yield value
