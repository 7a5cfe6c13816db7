"""What is selected: other runs fade, and what a filter hides counts for nothing."""

from tests.dashboard.browser import NEEDS_CHROMIUM, POINTS, Page

pytestmark = NEEDS_CHROMIUM
OPACITY = "Number(e.getAttribute('opacity') ?? 1)"
TILES = "#main [data-chart=heat_map] path[aria-roledescription='rect mark']"


def opacities(page: Page, chart: str) -> list[float]:
    return sorted(page.of_all(POINTS.format(chart), OPACITY))


def outlines(page: Page) -> list[int]:
    return sorted(page.of_all(TILES, "Number(e.getAttribute('stroke-width'))"))


def test_a_click_in_a_chart_selects_for_all(page: Page) -> None:
    point = next(p for p in page.all(POINTS.format("eta")) if "eta 0.5," in p.get_attribute("aria-label"))
    page.click(point)
    assert page.texts("#unselect") == ["Unselect 1"] and len(page.texts("#wall h3")) == 1
    assert "eta=0.5" in page.texts("#wall h3")[0] and "0.5" in page.texts("#runs tr.selected")[0]
    page.click(page.all(TILES)[0])
    assert int(page.texts("#unselect")[0].split()[1]) >= 3


def test_what_is_not_selected_fades(page: Page) -> None:
    assert opacities(page, "eta") == [1] * 7 and opacities(page, "gap_scatter") == [1] * 6
    assert opacities(page, "forest") == [1] * 7 and outlines(page) == [0] * 3
    page.tick(1, 2)
    assert opacities(page, "eta") == [0.15] * 5 + [1] * 2
    assert opacities(page, "gap_scatter") == [0.15] * 4 + [1] * 2
    assert opacities(page, "forest") == [0.15] * 5 + [1] * 2 and outlines(page) == [0, 0, 4]
    assert len(page.texts("#wall h3")) == 2 and len(page.texts("#board tr.selected")) == 2
    page.press(page.all("#unselect")[0])
    assert opacities(page, "eta") == [1] * 7 and outlines(page) == [0] * 3


def test_a_selection_that_a_filter_hides_marks_nothing(page: Page) -> None:
    page.tick(1, 2)
    page.filter("domain", "fields")
    assert opacities(page, "eta") == [1] * 3 == opacities(page, "forest") and outlines(page) == [0]
    assert page.texts("#wall-says") == ["3 of 3 runs; select some to see theirs."]
    assert page.texts("#unselect") == ["Unselect 2 (2 hidden by the filter)"]
    page.tick(3)
    assert opacities(page, "eta") == [0.15, 0.15, 1] and page.texts("#wall-says") == ["1 of 1 selected runs."]
    page.show_all()
    assert opacities(page, "eta") == [0.15] * 4 + [1] * 3 and page.texts("#unselect") == ["Unselect 3"]
