"""Chromium without a network, and what a reader sees and does in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
NEEDS_CHROMIUM = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium: apt install chromium chromium-driver"
)
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--window-size=1280,900", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
LIMIT = 600
"""Seconds after which the page counts as hanging."""
POINTS = "#main [data-chart={}] path[aria-roledescription='point']"
INTO_VIEW = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A driver of a Chromium of its own, with networking off."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        made.execute_cdp_cmd("Network.enable", {})
        made.execute_cdp_cmd("Network.emulateNetworkConditions", off)
        yield made
    finally:
        made.quit()


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

    def of_all(self, selector: str, code: str) -> list[Any]:
        """What `code` says of every element `e`."""
        each = f"return [...document.querySelectorAll(arguments[0])].map(e => {code})"
        return list(self.js(each, selector))

    def texts(self, selector: str) -> list[str]:
        return self.of_all(selector, "e.textContent")

    def press(self, element: Any) -> None:
        self.js(INTO_VIEW, element)
        element.click()
        self.settle()

    def click(self, mark: Any) -> None:
        """A mark of a chart, which is no element that can be pressed."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.js(INTO_VIEW, mark)
        ActionChains(self.driver).move_to_element(mark).click().perform()
        self.settle()

    def tick(self, *runs: int) -> None:
        for place in runs:
            self.js("document.querySelector(`[data-tick='${arguments[0]}']`).click()", place)
        self.settle()

    def filter(self, name: str, value: str) -> None:
        box = "document.querySelector(`#filters input[data-name='${arguments[0]}'][value='${arguments[1]}']`)"
        self.js(f"{box}.click()", name, value)
        self.settle()

    def show_all(self) -> None:
        self.js("document.querySelector('#filters > button').click()")
        self.settle()

    def choose(self, name: str, value: str) -> None:
        self.js(
            "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
            "box.dispatchEvent(new Event('change'))",
            *(name, value),
        )
        self.settle()

    def focused(self) -> Any:
        return self.driver.switch_to.active_element

    def errors(self) -> list[Any]:
        return list(self.driver.get_log("browser"))

    def emulate(self, scheme: str, width: int = 1280, height: int = 900) -> None:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
