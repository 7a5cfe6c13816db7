"""The page in Chromium, from disk and without a network: what it shows, and how it follows its switches."""

import csv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ood_diffusion.dashboard.theme import DARK, LIGHT
from tests.dashboard.browser import LIMIT, NEEDS_CHROMIUM, POINTS, Page
from tests.dashboard.conftest import HOSTILE, TRACKED

pytestmark = NEEDS_CHROMIUM


def test_it_opens_draws_and_loads_nothing(page: Page) -> None:
    charts = page.js("return [...document.querySelectorAll('.chart')].map(c => c.dataset.chart)")
    across = ["heat_map", "gap_scatter", "eta", "bandwidth", "inside", "importance", "parallel"]
    assert charts == [*across, "forest", "forest", "forest"]
    assert all(
        page.js("return [...document.querySelectorAll('.chart')].map(c => !!c.querySelector('svg path'))")
    )
    assert len(page.all(POINTS.format("eta"))) == 7 and len(page.all(POINTS.format("gap_scatter"))) == 6
    absent = " ".join(page.texts("#absent li"))
    assert "no two runs differ in steps" in absent and "ood-diffusion -m +sweep=steps" in absent
    assert (
        page.js("return performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:'))")
        == []
    )
    assert page.errors() == []


def test_every_image_loads(page: Page) -> None:
    for place in range(9):
        page.js("document.querySelector(`[data-tick='${arguments[0]}']`).click()", place)
    page.settle()
    loaded = page.js(
        "return Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth, () => 0)))"
    )
    assert len(loaded) == 6 * (6 + 6 + 5 + 5) + 6 * 5 and min(loaded) == 24  # on the wall, and compared
    assert page.errors() == []


def test_a_name_cannot_run_a_script(page: Page) -> None:
    page.press(page.all("[data-open='6']")[0])
    assert HOSTILE in page.texts("#drawer")[0] and HOSTILE in page.texts("#runs")[0]
    assert page.js("return window.hacked === undefined") and page.all("img[src='x']") == []


def test_filters_change_what_is_shown(page: Page) -> None:
    before = {name: len(page.texts(f"#{name} tbody tr")) for name in ("runs", "board")}
    assert before == {"runs": 9, "board": 7}
    page.press(page.all("#filtering")[0])
    page.press(page.all("#filters input[data-name='domain'][value='fields']")[0])
    assert page.texts("#shown") == ["3 of 9 runs"]
    assert len(page.texts("#runs tbody tr")) == 3 == len(page.texts("#board tbody tr"))
    assert len(page.all(POINTS.format("eta"))) == 3
    assert [chart.is_displayed() for chart in page.all("[data-chart=forest]")].count(True) == 1
    assert all("eta=" in text for text in page.texts("#wall h3")) and len(page.texts("#wall h3")) == 3
    page.press(page.all("#filters input[data-name='eta'][value='1']")[0])
    assert page.texts("#shown") == ["1 of 9 runs"] and len(page.all(POINTS.format("eta"))) == 1
    page.press(page.all("#filters > button")[0])
    assert page.texts("#shown") == ["all 9 runs"] and len(page.all(POINTS.format("eta"))) == 7
    assert page.errors() == []


def test_an_expression_selects_and_the_address_keeps_the_view(page: Page, written: Path) -> None:
    def ask(text: str) -> None:
        page.js(
            "const box = document.getElementById('where'); box.value = arguments[0];"
            "box.dispatchEvent(new Event('change'))",
            text,
        )
        page.settle()

    ask("not (domain == galaxies) and fid <= 140 or eta == 1 and status == complete")
    assert page.texts("#shown") == ["4 of 9 runs"] and page.texts("#filtering") == ["Filter (1)"]
    assert len(page.texts("#board tbody tr")) == 4
    for wrong, says in (("fid <", "expected a value at the end"), ("nothing == 1", "no run has “nothing”")):
        ask(wrong)
        assert page.texts("#where-says")[0].startswith(says) and page.texts("#shown") == ["4 of 9 runs"]
        assert page.all("#where")[0].get_attribute("aria-invalid") == "true"
    for wrong in ("toString ~ f", "constructor == 1"):
        ask(wrong)
        assert page.texts("#where-says")[0].startswith("no run has")
    ask("fid < 200")
    page.choose("metric", "precision")
    page.filter("eta", "0.5")
    page.tick(4, 1)
    address = page.driver.current_url
    page.driver.get("about:blank")
    page.driver.get(address)
    page.settle()
    assert page.texts("#shown") == ["2 of 9 runs"] and page.texts("#unselect") == ["Unselect 2"]
    assert page.js(
        "return [document.getElementById('metric').value, document.getElementById('where').value]"
    ) == [*("precision", "fid < 200")]
    page.choose("metric", "fid")
    assert "figure=fid&colour=" in page.driver.current_url  # another page may begin with others
    page.show_all()
    page.press(page.all("#unselect")[0])
    assert page.driver.current_url == written.as_uri() and page.errors() == []


def test_an_address_keeps_what_cannot_be_asked_yet(page: Page, written: Path) -> None:
    page.driver.get("about:blank")
    page.driver.get(f"{written.as_uri()}#where=later+%3C+1")
    page.settle()
    assert "where=later+%3C+1&figure=fid&colour=" in page.driver.current_url
    assert page.texts("#shown") == ["all 9 runs"]


def test_a_setting_that_is_null_can_be_asked_for(page: Page, written: Path) -> None:
    nulls = written.with_name("nulls.html")  # as a coordinate it is a dash
    nulls.write_text(written.read_text().replace('"at":{', '"at":{"made_by":"\\u2014",'))
    page.driver.get(f"{nulls.as_uri()}#where=made_by+%3D%3D+null+and+dry_run+%3D%3D+false")
    page.settle()
    assert page.texts("#shown") == ["1 of 9 runs"]


def test_a_watched_page_reloads_unless_something_is_typed(page: Page, written: Path) -> None:
    watched = written.with_name("watched.html")
    watched.write_text(written.read_text().replace('"again":null', '"again":20'))
    held = {"source": "window.setInterval = (look) => { window.look = look; };"}
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", held)
    page.driver.get(watched.as_uri())
    page.settle()
    page.all("#find-runs")[0].send_keys("1")
    page.js("window.old = true; window.look();")
    page.tick(1)
    assert page.js("return window.old") and page.focused().get_attribute("type") == "checkbox"
    page.js("window.look()")
    page.wait("window.old === undefined")
    page.settle()
    assert page.texts("#unselect") == ["Unselect 1"]
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_selected_runs_are_compared_with_the_first(page: Page) -> None:
    assert not page.all("#comparison")[0].is_displayed()
    page.tick(4, 1)
    assert page.texts("#comparison .letters li") == ["4", "1"]
    tables = page.of_all("#comparison tbody tr", "[...e.children].map(c => c.textContent)")
    told = {name: values for name, *values in tables}
    assert told["domain"] == ["fields", "galaxies"] and "eta" not in told
    assert told["FID ↓"] == [
        "140 [135, 145]",
        "110 [105, 115]−30 [−37.07, −22.93]",
    ]  # 30 ± the root of 5² + 5²
    assert told["precision ↑"] == ["0.7", "0.55−0.15"]
    assert page.texts("#comparison strong") == ["−30 [−37.07, −22.93]"]
    assert page.texts("#comparison pre") == ["ood-diffusion compare ../4 ../1"]
    assert len(page.all("#comparison img")) == 2 * 5


def test_settings_are_ranked_by_the_variance_they_explain(page: Page) -> None:
    page.filter("domain", "galaxies")
    page.filter("domain", "fields")
    bars = "#main [data-chart=importance] path[aria-roledescription='bar']"
    assert page.of_all(bars, "e.getAttribute('aria-label')") == [
        "domain: explains 71% of the variance of FID ↓",  # 1 − (400/4)/(1750/5)
        "eta: explains 0% of the variance of FID ↓",
    ]
    assert len(page.all("#main [data-chart=parallel] .mark-line.role-mark path")) == 6


def test_charts_are_saved(page: Page, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    allow = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", allow)
    for kind in ("CSV", "SVG", "PNG"):
        page.press(page.all(f"[data-chart=eta] + .save [data-save={kind}]")[0])
        path = tmp_path / f"eta_fid.{kind.lower()}"
        WebDriverWait(page.driver, LIMIT, 0.02).until(
            lambda _, path=path: path.exists() and path.stat().st_size
        )
    rows = list(csv.DictReader((tmp_path / "eta_fid.csv").open()))
    assert len(rows) == 7
    (row,) = [row for row in rows if row["run"] == "1"]
    assert (row["domain"], row["x"], row["value"], row["low"], row["high"]) == (
        "galaxies",
        "0.5",
        "110",
        "105",
        "115",
    )
    assert (tmp_path / "eta_fid.svg").read_text().startswith("<svg")
    assert Image.open(tmp_path / "eta_fid.png").width > 400
    assert page.errors() == []


def test_the_figure_can_be_switched(page: Page) -> None:
    assert "FID ↓" in page.texts("[data-chart=eta] svg")[0]
    page.choose("metric", "novelty")
    assert "novelty" in page.texts("[data-chart=eta] svg")[0]
    assert "0.9299  (3)" in page.texts("[data-chart=heat_map] svg")[0]


def test_the_leaderboard_sorts_and_finds(page: Page) -> None:
    def column() -> list[float]:
        return [float(text.split()[0]) for text in page.texts("#board tbody td:nth-child(2)")]

    page.press(page.all("#board button[data-column=fid]")[0])
    assert column() == sorted(column()) == [100, 110, 120, 130, 140, 150, 500]
    page.press(page.all("#board button[data-column=fid]")[0])
    assert column() == sorted(column(), reverse=True)
    assert page.all("#board th[aria-sort=descending]")[0].text.startswith("FID")
    page.all("#find-board")[0].send_keys("galaxies")
    page.settle()
    assert column() == [120, 110, 100]


def test_the_drawer_has_everything_about_a_run(page: Page, sweep: Path) -> None:
    page.press(page.all("[data-open='1']")[0])
    text = page.texts("#drawer")[0]
    assert page.texts("#command") == ["ood-diffusion domain=galaxies eta=0.5"]
    links = page.of_all("#links a", "[e.textContent, e.href]")
    assert dict(links) == {"Report": (sweep / "1" / "report.html").as_uri(), "W&B run": TRACKED}
    for part in ("110 [105, 115]", "torch2.15.0", "2,304", "Peak memory 1,843 MiB", "eta: 0.5", "equal"):
        assert part in text, part
    page.press(next(button for button in page.all("#drawer button") if button.text == "Next"))
    assert page.texts("#command") == ["ood-diffusion domain=galaxies eta=1"]


@pytest.mark.parametrize(("scheme", "theme"), [("light", LIGHT), ("dark", DARK)])
def test_page_and_charts_follow_the_theme(page: Page, scheme: str, theme: Any) -> None:
    page.emulate(scheme)
    label = "document.querySelector('[data-chart=eta] .role-axis-label text')"
    page.wait(f"{label}?.getAttribute('fill') === arguments[0]", theme.ink)
    page.settle()
    red, green, blue = (int(theme.page[i : i + 2], 16) for i in (1, 3, 5))
    behind = page.js("return getComputedStyle(document.body).backgroundColor")
    assert behind == f"rgb({red}, {green}, {blue})"


def test_on_a_phone_nothing_sticks_out(page: Page) -> None:
    page.emulate("light", 390, 844)
    page.driver.refresh()
    page.settle()
    assert page.js("return document.documentElement.scrollWidth") <= 390
    widths = page.js(
        "return [...document.querySelectorAll('.chart svg')].map(s => s.getBoundingClientRect().right)"
    )
    assert max(widths) <= 390
    assert page.errors() == []


def test_the_policy_forbids_to_load_anything(page: Page) -> None:
    refused = page.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', event => done(event.blockedURI));"
        "new Image().src = 'http://127.0.0.1:9/picture.png';"
    )
    assert refused == "http://127.0.0.1:9/picture.png"
    page.errors()  # the refusal is in the log, which the next test must find empty
