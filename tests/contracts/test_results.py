"""docs/results: the pages say what the JSON holds, and the commands behind it can be run."""

import json
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from tests.composed import composed
from tests.report.fake import results as fake_results

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DOCS))
    yield import_module("results")
    sys.path.remove(str(DOCS))


def held() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (DOCS / "results").glob("*.json")}


def test_pages_are_made_of_the_json(results: ModuleType) -> None:
    shown = set()
    for page in results.pages():
        text = page.read_text(encoding="utf-8")
        assert text == results.rendered(text), f"{page.name}: run python docs/results.py, or change the JSON"
        assert text.count("<!-- end -->") == len(results.PART.findall(text)), page.name
        shown |= {name for _, name, _ in results.PART.findall(text)}
    assert shown == set(held()) - {"pictures"} >= set(results.listed()) - {"pictures"}


def test_a_page_that_was_changed_by_hand_is_noticed(results: ModuleType) -> None:
    page = (DOCS / "solvers.md").read_text().replace("| 23.0 dB |", "| 24.0 dB |")
    assert page != results.rendered(page)


def test_figures_are_of_the_listed_commands(results: ModuleType) -> None:
    """Without a commit they are from before, and no command is known."""
    listed = results.listed()
    for name, found in held().items():
        for key, each in found.items() if name == "pictures" else [(name, found)]:
            spec = listed[name][key] if name == "pictures" else listed.get(name)
            assert each["commands"] == (results.commands(spec) if each["commit"] else []), key


def test_every_picture_is_listed(results: ModuleType) -> None:
    files = {path.name for path in (DOCS / "images").iterdir()}
    assert files == set(held()["pictures"]) <= set(results.listed()["pictures"])


@pytest.mark.slow
@pytest.mark.parametrize("name", import_module("yaml").safe_load((DOCS / "results/tables.yaml").read_text()))
def test_commands_compose(results: ModuleType, name: str) -> None:
    for command in results.commands(results.listed()[name]):
        program, *words = shlex.split(command)
        assert program in ("ood-diffusion", "python")
        if program == "ood-diffusion":
            assert composed(*words).stages, command


def test_a_table_is_read_off_its_runs(results: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
    found = fake_results()
    found["metrics"]["sets"] = {"samples": {"fid": 104.7, "precision": 0.0469}}
    found["metrics"]["intervals"] = {"samples": {"fid": {"value": 104.7, "low": 92.7, "high": 116.7, "n": 9}}}
    (tmp_path / "results.json").write_text(json.dumps(found))
    ran = []
    monkeypatch.setattr(results, "run", lambda command, commit, words: ran.append(command) or tmp_path)
    table = {
        "command": "steps=4",
        "rows": {"galaxies": "", "fields": "domain=radiation_sim"},
        "columns": {
            "FID": {"figure": "metrics/sets/samples/fid"},
            "precision": {"figure": "metrics/sets/samples/precision"},
            "C9": {"words": "eta=1", "figure": "verdicts/C9"},
        },
    }
    made = results.measured(table, "abc", [])
    assert (
        ran
        == made["commands"]
        == [
            "ood-diffusion steps=4",
            "ood-diffusion steps=4 eta=1",
            "ood-diffusion steps=4 domain=radiation_sim",
            "ood-diffusion steps=4 domain=radiation_sim eta=1",
        ]
    )
    assert results.shown(made) == (
        "| | FID | precision | C9 |\n|---|---|---|---|\n"
        "| galaxies | 105 ± 12 | 0.0469 | |\n| fields | 105 ± 12 | 0.0469 | |\n\n"
        "*`make results`, commit abc.*"
    )
    again = results.parsed(results.shown(made))
    assert again[0] == ["", "FID", "precision", "C9"] and again[1][1][1] == "105 ± 12"


def test_a_table_of_seeds_shows_means(results: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
    def ran(command: str, commit: str, words: Any) -> Path:
        fid = 100 + 3 * int(command[-1])
        found = fake_results()
        found["metrics"]["sets"] = {"samples": {"fid": fid, "mixture": fid / 1000}}
        found["metrics"]["intervals"] = {"samples": {"fid": {"value": fid, "low": fid - 9, "high": fid + 9}}}
        folder = tmp_path / command[-1]
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(found))
        return folder

    monkeypatch.setattr(results, "run", ran)
    columns = {name: {"figure": f"metrics/sets/samples/{name}"} for name in ("fid", "mixture")}
    made = results.measured({"seeds": [0, 1, 2], "rows": {"all": ""}, "columns": columns}, "abc", [])
    assert made["commands"] == [f"ood-diffusion seed={seed}" for seed in range(3)]
    _, fid, mixture = made["rows"][0]
    assert mixture == pytest.approx(0.103) and fid["value"] == pytest.approx(103)
    assert 9 < fid["high"] - 103 == pytest.approx(103 - fid["low"])


def test_a_run_that_this_commit_has_finished_is_not_repeated(
    results: ModuleType, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(results, "RUNS", tmp_path)
    lines = []

    def process(line: list[str], **_: Any) -> Any:
        lines.append(line)
        return type("Done", (), {"returncode": int(len(lines) == 1)})

    monkeypatch.setattr(results.subprocess, "run", process)
    command = "ood-diffusion eta=1 'domain.path=a b'"
    with pytest.raises(results.RunFailed, match="exit status 1 of ood-diffusion eta=1"):
        results.run(command, "abc", ["data=d"])
    folder = results.run(command, "abc", ["data=d"])
    assert results.run(command, "abc", []) == folder and len(lines) == 2
    assert results.run(command, "abd", []) == folder and len(lines) == 3
    assert lines[1][3:] == ["eta=1", "domain.path=a b", "data=d", "logger=none", f"hydra.run.dir={folder}"]


def test_a_sheet_is_stacked_of_first_rows(results: ModuleType, tmp_path: Path) -> None:
    for name, shade in (("a.png", 10), ("b.png", 20)):
        Image.new("RGB", (8 * 4 - 2, 3 * 4 - 2), (shade,) * 3).save(tmp_path / name)
    sheet = results.stacked([results.top(tmp_path / "a.png", 1), results.top(tmp_path / "b.png", 2)])
    assert sheet.size == (30, 2 + 2 + 6)
    assert [sheet.getpixel((0, y))[0] for y in (0, 1, 2, 3, 4, 9)] == [10, 10, 160, 160, 20, 20]
