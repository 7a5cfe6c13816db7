"""`ood-diffusion leaderboard`: which runs are one way, what is averaged, and who is first."""

import csv
import io
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ood_diffusion.checks import UserError
from ood_diffusion.claims.leaderboard import heads, leaderboards
from ood_diffusion.claims.leaderboard_command import leaderboard
from ood_diffusion.figures import Figure
from ood_diffusion.report.collect.rows import find
from ood_diffusion.report.leaderboard_table import LABEL, Standing, file_rows, forest, screen_table
from tests.report.fake import results, write_run

BOARD = ("cats-64", "galaxies")


def run(
    folder: Path,
    fid: float,
    half: float = 5.0,
    uses_prior: bool = True,
    kid: float = 0.03,
    copies: float = 0.0156,
    precision_interval: tuple[float, float] | None = None,
    **knobs: Any,
) -> None:
    """A run with this FID; `knobs` go to its coordinates."""
    made = results()
    made["coordinates"] |= knobs
    metrics = made["metrics"]
    metrics["sets"]["samples"] |= {"fid": fid, "kid": kid}
    interval = {"value": fid, "low": fid - half, "high": fid + half, "n": 64}
    metrics["intervals"] = {"samples": {"fid": interval}}
    metrics["novelty"]["copies"] = copies
    if precision_interval is not None:
        value, arm = precision_interval
        found = {"value": value, "low": value - arm, "high": value + arm, "n": 64}
        metrics["intervals"]["samples"]["precision"] = found
    metrics["making"] = {"uses_prior": uses_prior, "calls_per_reference": 24, "calls_per_sample": 48}
    made["interference"] = {"own": {"capture": {"value": 0.25, "low": None, "high": None, "n": 64}}}
    write_run(folder, found=made)


def boards(folder: Path) -> dict[tuple[str, str], list[Standing]]:
    return leaderboards(list(find(folder).runs.values()))


def ways(standings: list[Standing]) -> list[tuple[str, str, str]]:
    return [(each.prior, each.sampler, each.selection) for each in standings]


def test_a_low_fid_is_first_and_a_tie_is_no_sure_difference(tmp_path: Path) -> None:
    for i, (prior, fid) in enumerate(
        (("gaussian", 130.0), ("span", 100.0), ("kde", 107.0), ("shrunk", 107.2))
    ):
        run(tmp_path / str(i), fid, prior=prior)
    found = boards(tmp_path)[BOARD]
    assert [each.prior for each in found] == ["span", "kde", "shrunk", "gaussian"]
    assert [each.rank for each in found] == [1, 2, 3, 4]
    assert [each.tied for each in found] == [True, True, False, False]  # 5 and 5 make 7.07


def test_ties_are_with_the_best_that_does_not_copy(tmp_path: Path) -> None:
    for i, (sampler, fid, copies) in enumerate(
        (("copy", 80.0, 1.0), ("draw", 90.0, 0.0), ("slerp", 96.0, 0.1))
    ):
        run(tmp_path / str(i), fid, sampler=sampler, copies=copies)
    found = boards(tmp_path)[BOARD]
    assert [(each.sampler, each.tied) for each in found] == [("copy", True), ("draw", True), ("slerp", True)]
    assert "1 =" in text_of(found, tmp_path) and "3 =" in text_of(found, tmp_path)


def told(folder: Path) -> dict[str, Figure]:
    return heads(list(find(folder).runs.values()))


def text_of(standings: list[Standing], folder: Path) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(screen_table("board", standings, told(folder)))
    return console.export_text()


def test_figures_have_intervals_over_seeds(tmp_path: Path) -> None:
    for seed, precision in enumerate((0.5, 0.7)):
        run(tmp_path / str(seed), 90.0, seed=seed, precision_interval=(precision, 0.1))
    (row,) = file_rows(*BOARD, boards(tmp_path)[BOARD], told(tmp_path))
    within, between = 0.1 / 1.959964, 0.1  # of the mean of two
    half = (row["precision_high"] - row["precision_low"]) / 2
    assert half > 1.96 * math.hypot(within, between) and "kid_low" not in row


def test_seeds_are_averaged_and_widen_the_interval(tmp_path: Path) -> None:
    for seed, fid in enumerate((90.0, 100.0, 110.0)):
        run(tmp_path / str(seed), fid, seed=seed, kid=0.01 * seed)
    (only,) = boards(tmp_path)[BOARD]
    assert only.seeds == 3 and only.fid.value == 100 and only.figures["kid"] == pytest.approx(0.01)
    within, between = 5 / 1.959964, 10 / math.sqrt(3)
    assert (only.fid.high - only.fid.low) / 2 > 1.96 * math.hypot(within, between)


def test_the_same_run_again_counts_once(tmp_path: Path) -> None:
    run(tmp_path / "1", 100.0)
    run(tmp_path / "2", 120.0)
    (only,) = boards(tmp_path)[BOARD]
    assert only.seeds == 1 and only.fid.value == 120


def test_a_prior_that_is_not_used_makes_no_difference(tmp_path: Path) -> None:
    for i, prior in enumerate(("span", "kde")):
        run(tmp_path / f"a{i}", 100.0, sampler="linear_combination", prior=prior, uses_prior=False)
        run(tmp_path / f"b{i}", 110.0 + i, sampler="draw", prior=prior)
    assert ways(boards(tmp_path)[BOARD]) == [
        ("—", "linear_combination", "geometric"),
        ("span", "draw", "geometric"),
        ("kde", "draw", "geometric"),
    ]


def test_other_settings_that_differ_are_ways_of_their_own(tmp_path: Path) -> None:
    run(tmp_path / "0", 100.0, eta=0.0, batch_size=8)
    run(tmp_path / "1", 150.0, eta=1.0, batch_size=16)
    found = boards(tmp_path)[BOARD]
    assert [dict(each.others) for each in found] == [{"eta": "0"}, {"eta": "1"}]
    assert found[1].label == "proposal · shrunk · geometric · eta=1"


def test_a_knob_called_as_a_figure_keeps_its_column(tmp_path: Path) -> None:
    run(tmp_path / "0", 100.0, precision="fp32")
    run(tmp_path / "1", 150.0, precision="bf16")
    rows = file_rows(*BOARD, boards(tmp_path)[BOARD], told(tmp_path))
    assert [row["precision (setting)"] for row in rows] == ["fp32", "bf16"]
    assert [row["precision"] for row in rows] == [0.6875, 0.6875]


def test_models_and_domains_have_boards_of_their_own(tmp_path: Path) -> None:
    run(tmp_path / "0", 100.0)
    run(tmp_path / "1", 90.0, domain="dogs")
    assert {board: len(found) for board, found in boards(tmp_path).items()} == {
        BOARD: 1,
        ("cats-64", "dogs"): 1,
    }


def test_figures(tmp_path: Path) -> None:
    run(tmp_path / "0", 100.0)
    (only,) = boards(tmp_path)[BOARD]
    assert only.figures["acceptance"] == pytest.approx(64 / 4120)
    assert only.figures["cost"] == pytest.approx(48 + 24 * 96 / 64)
    assert only.figures["capture"] == 0.25 and only.figures["copies"] == 0.0156
    assert only.figures["novelty"] == 0.9299
    assert only.yardstick == pytest.approx(143.27 * 0.41)


def test_the_command_writes_and_says_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "0", 100.0, prior="span")
    run(tmp_path / "1", 104.0, prior="kde")
    write_run(tmp_path / "2", error="UserError: none kept")
    write_run(tmp_path / "3", found=results())
    leaderboard([str(tmp_path), "--output", str(tmp_path / "t.csv")])
    said = capsys.readouterr().out
    assert "failed: run 2: UserError: none kept" in said and "left out: 3: no FID" in said
    assert "100.0 ± 5.0" in said and "2 =" in said
    with (tmp_path / "t.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(row["rank"], row["prior"], row["tied"]) for row in table] == [
        ("1", "span", "True"),
        ("2", "kde", "True"),
    ]
    assert float(table[0]["fid_low"]) == 95 and table[0]["capture"] == "0.25"
    plot = (tmp_path / "leaderboard_cats-64_galaxies.svg").read_text()
    assert plot.lstrip().startswith("<?xml") and "</svg>" in plot


def test_long_labels_are_whole_and_the_plot_keeps_its_place(tmp_path: Path) -> None:
    knobs = {name: f"{name}_of_a_rather_long_name" for name in ("solver", "grid", "extractor", "precision")}
    run(tmp_path / "0", 100.0, eta=0.25, steps=3, level=1)
    run(tmp_path / "1", 104.0, **knobs, eta=0.5, steps=12345, level=987)
    (standings,) = boards(tmp_path).values()
    assert len(standings[1].label) > 2 * LABEL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = forest(standings).figure
    (axes,) = figure.axes
    inside = figure.bbox
    labels = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(inside.x0 <= box.x0 and inside.y0 <= box.y0 and box.y1 <= inside.y1 for box in labels)
    assert axes.bbox.width > 200 and labels[0].y0 > labels[1].y1  # points


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "leaderboard needs a folder that exists, but got 'nowhere'"),
        (["."], "leaderboard needs runs with the stage evaluate"),
        ([".", "--output", "t.txt"], "must be a file that ends in .csv or .parquet"),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        leaderboard(arguments)
