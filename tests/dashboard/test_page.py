"""What the page is made of, without a browser."""

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ood_diffusion.checks import UserError
from ood_diffusion.dashboard import page
from ood_diffusion.dashboard.command import AGAIN, dashboard
from ood_diffusion.dashboard.facts import coordinates, facts
from ood_diffusion.dashboard.standings import standings
from ood_diffusion.report.collect.rows import find
from ood_diffusion.report.collect.run_folder import find_runs
from ood_diffusion.report.declared import measured
from tests.dashboard.conftest import HOSTILE, data_in, found
from tests.report.fake import write_run


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts take seconds to compile; what stands for Vega is as long as Vega."""
    monkeypatch.setattr(page, "vega_bundle", lambda: "x" * 900_000)
    monkeypatch.setattr(page, "specifications", dict)


def test_every_run_is_there_with_what_was_found(written: Path) -> None:
    data = data_in(written)
    runs = {entry["folder"]: entry for entry in data["runs"]}
    assert [entry["status"] for entry in runs.values()].count("complete") == 7
    assert runs["1"]["figures"]["fid"] == [110, 105, 115] and runs["1"]["x"]["eta"] == 0.5
    assert runs["1"]["figures"]["fid_ratio"] == [pytest.approx(110 / (143.27 * 0.41))]
    assert runs["0"]["curves"]["bandwidth"] == [[300, 30, 21, 39], [600, 30, 21, 39]]
    assert runs["0"]["gap"] == runs["1"]["gap"] == [700, 610, 790]  # measured by one, true of all alike
    assert runs["8"]["gap"] is None and runs["6"]["why"].startswith("eta must lie")
    assert runs["8"]["at"]["domain"] == HOSTILE and runs["7"]["status"] == "unfinished"
    assert {**data["alike"]["config"], **runs["2"]["config"]}["eta"] == "1.0"
    assert {row["domain"] for row in data["standings"]["rows"]} == {"galaxies", "fields", HOSTILE}
    assert "eta" not in data["alike"]["config"] and "model (group)" in data["alike"]["config"]


def test_only_its_own_scripts_may_run_and_nothing_may_be_loaded(written: Path) -> None:
    text = written.read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe-eval" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    wanted = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(scripts) == 2 and re.findall(r"sha256-(.*?)'", policy) == wanted
    assert HOSTILE not in text and "<img src=x" not in text
    assert not re.search(r'(src|href)="(?!#|data:)', text.split("<script", 1)[0])


@pytest.mark.usefixtures("without_charts")
def test_a_hundred_runs_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (14, 64, 64, 3), dtype=np.uint8)
    for i in range(100):
        eta = round(0.01 * i, 2)
        write_run(tmp_path / str(i), f"eta={eta}", found=found(domain=f"d{i % 5}", eta=eta), eta=eta)
    monkeypatch.setattr(
        page,
        "pictures",
        lambda folder, counts, most: {"samples": list(np.roll(noise, int(folder.name) + 1, axis=1))},
    )
    runs = find(tmp_path).runs
    text, count = page.page(list(runs.values()), list(runs), 0, tmp_path)
    assert 2_500_000 < len(text.encode()) <= page.MAX_BYTES  # noise is the worst case; what fits is used
    assert 0 < count < 14


def test_rows_of_the_leaderboard_know_the_runs_they_are_made_of(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "domain.path=a", found=found(precision="fp32"), domain={"path": "a"})
    write_run(tmp_path / "1", found=found(120.0, precision="bf16"))
    unused = found(130.0, sampler="linear_combination", prior="span")
    unused["metrics"]["making"]["uses_prior"] = False
    write_run(tmp_path / "2", found=unused)
    runs = find_runs(tmp_path)
    names = coordinates(runs)
    rows = standings(runs)["rows"]
    for entry, row in zip(facts(runs, ["0", "1", "2"], names, {}, tmp_path), rows, strict=True):
        shared = row["at"].keys() & entry["at"].keys()
        assert {"precision", "domain.path"} <= shared and ("prior" in shared) is (entry["folder"] != "2")
        assert all(row["at"][name] == entry["at"][name] for name in shared)
    assert len({row["label"] for row in rows}) == 3


def test_a_label_says_only_what_differs_on_its_board(tmp_path: Path) -> None:
    for i, (domain, sampler, steps) in enumerate((("a", "draw", 8), ("a", "slerp", 8), ("b", "draw", 24))):
        write_run(tmp_path / str(i), found=found(100.0 + i, domain=domain, sampler=sampler, steps=steps))
    rows = standings(find_runs(tmp_path))["rows"]
    assert [row["label"] for row in rows] == ["draw", "slerp", "draw"]


@pytest.mark.usefixtures("without_charts")
def test_a_folder_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    write_run(tmp_path / os.fsdecode(b"\xff"), found=found())
    assert dashboard([str(tmp_path)])
    assert data_in(tmp_path / "dashboard.html")["runs"][0]["folder"] == "\udcff"


def test_metrics_of_ones_own_are_offered() -> None:
    made = found()
    made["metrics"]["sets"]["samples"]["my_metric"] = 3.5
    assert measured(made, "dashboard")["my_metric"] == [3.5]
    assert measured({}, "dashboard") == {}


@pytest.mark.usefixtures("without_charts")
def test_exit_status_and_where_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "a" / "0", "eta=0", found=found(eta=0.0))
    write_run(tmp_path / "b" / "0", "eta=1", found=found(eta=1.0))
    assert dashboard([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path)])
    assert [entry["folder"] for entry in data_in(tmp_path / "a" / "dashboard.html")["runs"]] == [
        "a/0",
        "b/0",
    ]
    write_run(tmp_path / "b" / "1", "eta=7", error="no")
    assert not dashboard([str(tmp_path / "b")])
    assert "1 of 2 runs are complete." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "dashboard needs folders that exist, but got 'nowhere'"),
        (["."], "dashboard needs folders that hold runs"),
        ([".", "--output", "t.pdf"], "--output must end in .html, but got 't.pdf'"),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        dashboard(arguments)


def test_an_interval_without_an_end_is_none(tmp_path: Path) -> None:
    made = found()
    made["metrics"]["intervals"]["samples"]["fid"]["low"] = None
    write_run(tmp_path / "0", found=made)
    assert measured(made, "dashboard")["fid"] == [100] and standings(find_runs(tmp_path))["rows"] == []


def test_without_altair_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "ood-diffusion\[dashboard\]"'):
        dashboard([str(tmp_path)])


@pytest.mark.usefixtures("without_charts")
def test_links_lead_from_the_page_to_its_runs(tmp_path: Path) -> None:
    made = found()
    made["tracking"] = {"url": "javascript:alert(1)"}
    write_run(tmp_path / "a sweep" / "eta=0,#1", found=made)
    (tmp_path / "a sweep" / "eta=0,#1" / "report.html").touch()
    assert dashboard([str(tmp_path / "a sweep"), "--output", str(tmp_path / "pages" / "all.html")])
    (entry,) = data_in(tmp_path / "pages" / "all.html")["runs"]
    assert entry["report"] == "../a%20sweep/eta%3D0%2C%231/report.html" and entry["tracked"] == ""
    assert entry["path"] == "'../a sweep/eta=0,#1'"


@pytest.mark.usefixtures("without_charts")
def test_a_watched_page_is_written_until_all_runs_are_complete(tmp_path: Path) -> None:
    write_run(tmp_path / "0", found=found())
    write_run(tmp_path / "1", "eta=1", eta=1)
    output, seen = tmp_path / "dashboard.html", list[int | None]()

    def wait(seconds: float) -> None:
        if len(seen) < 2:  # runs as they were: it is not written again
            seen.append(data_in(output)["again"] if output.exists() else None)
            output.unlink(missing_ok=True)
        else:
            (tmp_path / "1" / "results.json").write_text(json.dumps(found(eta=1.0)))

    assert dashboard([str(tmp_path), "--watch"], wait)
    assert seen == [AGAIN, None] and data_in(output)["again"] is None
    assert [entry["status"] for entry in data_in(output)["runs"]] == ["complete", "complete"]


@pytest.mark.usefixtures("without_charts")
def test_a_run_that_ends_while_the_page_is_written_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "0", "eta=1", eta=1)
    waited, made = list[float](), page.page

    def ends_meanwhile(*arguments: Any) -> tuple[str, int]:
        (tmp_path / "0" / "results.json").write_text(json.dumps(found(eta=1.0)))
        return made(*arguments)

    def wait(seconds: float) -> None:
        assert not waited, "the run that ended meanwhile was missed"
        waited.append(seconds)

    monkeypatch.setattr(page, "page", ends_meanwhile)
    assert dashboard([str(tmp_path), "--watch"], wait) and waited == [AGAIN]


@pytest.mark.usefixtures("without_charts")
def test_the_page_knows_of_which_kind_and_of_how_many_images_a_gap_is(tmp_path: Path) -> None:
    for i, n in enumerate((24, 512)):
        gap = {"value": 100.0, "low": 90.0, "high": 110.0, "n": n}
        write_run(tmp_path / str(i), f"+flag={i}", found={**found(), "bandwidth": {"gap": gap}}, flag=bool(i))
    runs = find_runs(tmp_path)
    data = page.data_of(runs, [each.folder.name for each in runs], 0, tmp_path)
    equal = {each["key"]: each["equal"] for each in data["figures"]}
    assert equal["gap"]["kinds"] == "kind of gap" and "kinds" not in equal["fid"]
    assert [entry["made"]["kind of gap"] for entry in data["runs"]] == [
        f"bandwidth/gap/value of {n} images" for n in (24, 512)
    ]
    assert [entry["config"]["flag"] for entry in data["runs"]] == ["false", "true"]
    assert [entry["at"]["flag"] for entry in data["runs"]] == ["false", "true"]


@pytest.mark.usefixtures("without_charts")
def test_a_sheet_may_be_no_picture_of_this_run(tmp_path: Path) -> None:
    write_run(tmp_path / "0", found=found())
    Image.new("RGB", (30, 30)).save(tmp_path / "0" / "samples.png")
    assert dashboard([str(tmp_path)]) and data_in(tmp_path / "dashboard.html")["images"] == []
