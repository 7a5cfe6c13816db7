"""The page in Chromium, from disk and without a network: what it shows, and how it follows its switches."""

from typing import Any

import pytest

from ood_diffusion.dashboard.theme import DARK, LIGHT
from tests.dashboard.browser import NEEDS_CHROMIUM, POINTS, Page
from tests.dashboard.conftest import HOSTILE

pytestmark = NEEDS_CHROMIUM


def test_it_opens_draws_and_loads_nothing(page: Page) -> None:
    charts = page.js("return [...document.querySelectorAll('.chart')].map(c => c.dataset.chart)")
    assert charts == ["heat_map", "gap_scatter", "eta", "bandwidth", "inside", "forest", "forest", "forest"]
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
    assert len(loaded) == 6 * (6 + 6 + 5 + 5) and min(loaded) == 24
    assert page.errors() == []


def test_a_name_cannot_run_a_script(page: Page) -> None:
    page.press(page.all("[data-open='6']")[0])
    assert HOSTILE in page.texts("#drawer")[0] and HOSTILE in page.texts("#cells")[0]
    assert page.js("return window.hacked === undefined") and page.all("img[src='x']") == []


def test_filters_change_what_is_shown(page: Page) -> None:
    before = {name: len(page.texts(f"#{name} tbody tr")) for name in ("cells", "board")}
    assert before == {"cells": 9, "board": 7}
    page.press(page.all("#filtering")[0])
    page.press(page.all("#filters input[data-name='domain'][value='fields']")[0])
    assert page.texts("#shown") == ["3 of 9 runs"]
    assert len(page.texts("#cells tbody tr")) == 3 == len(page.texts("#board tbody tr"))
    assert len(page.all(POINTS.format("eta"))) == 3
    assert [chart.is_displayed() for chart in page.all("[data-chart=forest]")].count(True) == 1
    assert all("eta=" in text for text in page.texts("#wall h3")) and len(page.texts("#wall h3")) == 3
    page.press(page.all("#filters input[data-name='eta'][value='1']")[0])
    assert page.texts("#shown") == ["1 of 9 runs"] and len(page.all(POINTS.format("eta"))) == 1
    page.press(page.all("#filters > button")[0])
    assert page.texts("#shown") == ["all 9 runs"] and len(page.all(POINTS.format("eta"))) == 7
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


def test_the_drawer_has_everything_about_a_cell(page: Page) -> None:
    page.press(page.all("[data-open='1']")[0])
    text = page.texts("#drawer")[0]
    assert page.texts("#command") == ["ood-diffusion domain=galaxies eta=0.5"]
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
