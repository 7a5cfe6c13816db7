"""The page by keyboard and screen reader."""

from typing import Any

from tests.dashboard.browser import NEEDS_CHROMIUM, Page

pytestmark = NEEDS_CHROMIUM


def enter(page: Page, selector: str) -> Any:
    """Press Enter on the first such element, and say which element has the focus then."""
    from selenium.webdriver.common.keys import Keys

    page.js("arguments[0].focus()", page.all(selector)[0])
    page.focused().send_keys(Keys.ENTER)
    page.settle()
    return page.focused()


def test_by_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.all("body")[0].send_keys(Keys.TAB)
    assert page.focused().text == "Skip to the charts"
    page.focused().send_keys(Keys.TAB)
    assert page.focused().get_attribute("id") == "metric"
    page.focused().send_keys(Keys.TAB, Keys.TAB)
    assert page.focused().get_attribute("id") == "filtering"
    page.focused().send_keys(Keys.ENTER, Keys.TAB)
    assert page.focused().get_attribute("id") == "where"
    page.focused().send_keys(Keys.TAB)
    assert page.focused().get_attribute("data-name") == "domain"
    assert page.js("return getComputedStyle(arguments[0]).outlineStyle", page.focused()) == "solid"
    page.focused().send_keys(Keys.SPACE)
    page.settle()
    assert page.texts("#shown")[0].endswith("of 9 runs")
    page.focused().send_keys(Keys.ESCAPE)
    assert page.focused().get_attribute("id") == "filtering" and not page.all("#filters")[0].is_displayed()


def test_the_focus_stays_where_it_is_needed(page: Page) -> None:
    way = enter(page, "#board [data-way='1']")
    assert way.get_attribute("data-way") == "1" and page.texts("#unselect") == ["Unselect 1"]
    assert enter(page, "#board [data-way='1']").get_attribute("data-way") == "1"
    enter(page, "#board [data-way='1']")
    assert enter(page, "#unselect").get_attribute("id") == "filtering"
    column = enter(page, "#board button[data-column=fid]")
    assert column.get_attribute("data-column") == "fid"


def test_the_drawer_by_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    assert enter(page, "[data-open='7']").text == "Close"
    assert enter(page, "#drawer-next").text == "Close"  # it is the last run: Next leads nowhere
    assert not page.all("#drawer-next")[0].is_enabled()
    for _ in range(2):
        assert enter(page, "#drawer-previous").text == "Previous"
    page.focused().send_keys(Keys.ESCAPE)
    assert not page.js("return document.getElementById('drawer').open")
    assert page.focused().get_attribute("data-open") == "7"


def test_charts_and_marks_have_names(page: Page) -> None:
    pages = page.of_all(".chart", "[e.getAttribute('role'), e.getAttribute('aria-label'), e.dataset.chart]")
    names = {chart: name for role, name, chart in pages if role == "graphics-document"}
    assert len(names) == 8 and names["eta"] == "Fresh noise"
    assert names["gap_scatter"].startswith("Against the domain gap") and "brightest" in names["heat_map"]
    assert len(set(page.of_all("[data-chart=forest]", "e.getAttribute('aria-label')"))) == 3
    marks = set(page.of_all("#main .chart [role=graphics-symbol]", "e.getAttribute('aria-label')"))
    assert not [name for name in marks if "colour" in name or "shape" in name]
    for end in (
        *(": eta 0.5, FID ↓ 110 [105, 115]", ": domain gap 700 [610, 790], FID ↓ 110 [105, 115]"),
        *("cats-64, galaxies: FID ↓ 110, median of 3 runs", "cats-64, fields: FID ↓ 140, median of 3 runs"),
        *(": FID 100 [95, 105], tied with the best", ": FID 120 [115, 125]"),
    ):
        assert [name for name in marks if name.endswith(end)], end
