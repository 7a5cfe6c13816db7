"""docs/hour.md: its sums are right, its commands are those of the plan, and `fetch` prints what it shows."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ood_diffusion.checks import UserError
from ood_diffusion.runs.fetch import fetch
from tests.cli import ROOT
from tests.composed import composed
from tests.models.originals import adm
from tests.models.test_originals import AFHQ

PAGE = (ROOT / "docs" / "hour.md").read_text()


def gflop_of_a_call() -> float:
    """By PyTorch's counter, on shapes alone."""
    state = {name: torch.empty(shape, device="meta") for name, shape in adm.layout(AFHQ).items()}
    with FlopCounterMode(display=False) as counter:
        adm.forward(state, AFHQ, torch.empty(1, 3, 256, 256, device="meta"), torch.empty(1, device="meta"))
    return counter.get_total_flops() / 1e9


def test_calls_and_arithmetic() -> None:
    *_, command = re.findall(r"^ood-diffusion (model=.+)$", PAGE, re.MULTILINE)
    cfg = composed(*shlex.split(command))
    calls = cfg.n_references * cfg.steps * 2 + cfg.n_samples * cfg.steps
    assert f"**{calls:,} calls**" in PAGE and f"{command} dry_run=true" in PAGE
    assert f"takes {gflop_of_a_call():.0f} GFLOP" in PAGE
    megabytes = 4 * sum(torch.Size(shape).numel() for shape in adm.layout(AFHQ).values()) / 1e6
    assert f"{megabytes:.0f} MB" in PAGE


def test_times_are_calls_times_arithmetic_over_speed() -> None:
    ((calls, gflop),) = re.findall(r"= (\d+) × (\d+) GFLOP / speed", PAGE.replace(",", ""))
    row = r"^\| ([\d.]+) TFLOP/s \(([\d.]+) calls/s\) \|.*\| ([\d.]+) (h|min) \|$"
    rows = re.findall(row, PAGE, re.MULTILINE)
    assert len(rows) == 3
    for speed, rate, time, unit in rows:
        assert float(speed) * 1000 / int(gflop) == pytest.approx(float(rate), rel=0.04)  # two digits
        seconds = int(calls) * int(gflop) / (float(speed) * 1000)
        assert seconds / {"h": 3600, "min": 60}[unit] == pytest.approx(float(time), rel=0.06)


def test_what_was_measured_is_what_the_benchmarks_say() -> None:
    figures = json.loads((ROOT / "docs" / "benchmarks.json").read_text())["large_network"]["figures"]
    (bf16,) = (each for each in figures if each["what"] == "bf16")
    assert bf16["detail"].startswith("497 GFLOP") and f"{bf16['median']:.3f} images/s of 497 GFLOP" in PAGE
    assert f"{bf16['median'] * 0.497:.2f} TFLOP/s" in PAGE


def test_fetch_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        fetch(["afhq_dog_256"])
    (shown,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    assert shown == f"{capsys.readouterr().out}error: {error.value}\n"
