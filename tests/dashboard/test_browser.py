"""The page in Chromium, from disk and without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ood_diffusion.dashboard.theme import DARK, LIGHT
from tests.dashboard.conftest import HOSTILE

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium: apt install chromium chromium-driver"
)
SWITCHES = (
    *(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1280,900"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
LIMIT = 30
"""Seconds after which the page counts as hanging."""
POINTS = "#main [data-chart={}] path[aria-roledescription='point']"


class Page:
    """What a reader sees and does."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def js(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def settle(self) -> None:
        self.wait("document.getElementById('main')?.getAttribute('aria-busy') === 'false'")

    def wait(self, condition: str, *arguments: Any) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, LIMIT, 0.02).until(lambda _: self.js(f"return {condition}", *arguments))

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def texts(self, selector: str) -> list[str]:
        return list(
            self.js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)
        )

    def press(self, element: Any) -> None:
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()
        self.settle()

    def choose(self, name: str, value: str) -> None:
        self.js(
            "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
            "box.dispatchEvent(new Event('change'))",
            *(name, value),
        )
        self.settle()

    def errors(self) -> list[Any]:
        return list(self.driver.get_log("browser"))

    def emulate(self, scheme: str, width: int = 1280, height: int = 900) -> None:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    made.execute_cdp_cmd("Network.enable", {})
    made.execute_cdp_cmd("Network.emulateNetworkConditions", off)
    yield made
    made.quit()


@pytest.fixture
def page(driver: Any, written: Path) -> Page:
    made = Page(driver)
    made.emulate("light")
    driver.get(written.as_uri())
    made.settle()
    return made


def test_it_opens_draws_and_loads_nothing(page: Page) -> None:
    charts = page.js("return [...document.querySelectorAll('.chart')].map(c => c.dataset.chart)")
    assert charts == ["heat_map", "gap_scatter", "eta", "bandwidth", "inside", "forest", "forest", "forest"]
    assert all(
        page.js("return [...document.querySelectorAll('.chart')].map(c => !!c.querySelector('svg path'))")
    )
    assert len(page.all(POINTS.format("eta"))) == 7 and len(page.all(POINTS.format("gap_scatter"))) == 6
    absent = " ".join(page.texts("#absent li"))
    assert "no two cells differ in steps" in absent and "ood-diffusion -m +sweep=steps" in absent
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
    assert page.texts("#shown") == ["3 of 9 cells"]
    assert len(page.texts("#cells tbody tr")) == 3 == len(page.texts("#board tbody tr"))
    assert len(page.all(POINTS.format("eta"))) == 3
    assert [chart.is_displayed() for chart in page.all("[data-chart=forest]")].count(True) == 1
    assert all("eta=" in text for text in page.texts("#wall h3")) and len(page.texts("#wall h3")) == 3
    page.press(page.all("#filters input[data-name='eta'][value='1']")[0])
    assert page.texts("#shown") == ["1 of 9 cells"] and len(page.all(POINTS.format("eta"))) == 1
    page.press(page.all("#filters > button")[0])
    assert page.texts("#shown") == ["all 9 cells"] and len(page.all(POINTS.format("eta"))) == 7
    assert page.errors() == []


def test_the_figure_can_be_switched(page: Page) -> None:
    assert "FID ↓" in page.texts("[data-chart=eta] svg")[0]
    page.choose("metric", "novelty")
    assert "novelty" in page.texts("[data-chart=eta] svg")[0]
    assert "0.9299  (3)" in page.texts("[data-chart=heat_map] svg")[0]


def test_a_click_in_a_chart_selects_for_all(page: Page) -> None:
    point = next(p for p in page.all(POINTS.format("eta")) if "eta: 0.5" in p.get_attribute("aria-label"))
    from selenium.webdriver.common.action_chains import ActionChains

    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", point)
    ActionChains(page.driver).move_to_element(point).click().perform()
    page.settle()
    assert page.texts("#unselect") == ["Unselect 1"] and len(page.texts("#wall h3")) == 1
    assert "eta=0.5" in page.texts("#wall h3")[0] and "0.5" in page.texts("#cells tr.selected")[0]
    tile = page.all("#main [data-chart=heat_map] path[aria-roledescription='rect mark']")[0]
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", tile)
    ActionChains(page.driver).move_to_element(tile).click().perform()
    page.settle()
    assert int(page.texts("#unselect")[0].split()[1]) >= 3


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


def test_by_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    def focused() -> Any:
        return page.driver.switch_to.active_element

    page.all("body")[0].send_keys(Keys.TAB)
    assert focused().text == "Skip to the charts"
    focused().send_keys(Keys.TAB)
    assert focused().get_attribute("id") == "metric"
    focused().send_keys(Keys.TAB, Keys.TAB)
    assert focused().get_attribute("id") == "filtering"
    focused().send_keys(Keys.ENTER, Keys.TAB)
    assert focused().get_attribute("data-name") == "domain"
    assert page.js("return getComputedStyle(arguments[0]).outlineStyle", focused()) == "solid"
    focused().send_keys(Keys.SPACE)
    page.settle()
    assert page.texts("#shown")[0].endswith("of 9 cells")
    focused().send_keys(Keys.ESCAPE)
    assert focused().get_attribute("id") == "filtering" and not page.all("#filters")[0].is_displayed()

    opener = page.all("[data-open]")[0]
    page.js("arguments[0].focus()", opener)
    opener.send_keys(Keys.ENTER)
    assert page.js("return document.getElementById('drawer').open") and focused().text == "Close"
    focused().send_keys(Keys.ESCAPE)
    assert not page.js("return document.getElementById('drawer').open")
    assert focused().get_attribute("data-open") == opener.get_attribute("data-open")


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
