"""What the charts draw: the best is brightest, intervals are there, widths follow the page."""

from ood_diffusion.dashboard.theme import DARK, LIGHT
from tests.dashboard.browser import NEEDS_CHROMIUM, POINTS, Page

pytestmark = NEEDS_CHROMIUM
RULES = "#main [data-chart={}] .mark-rule.role-mark line"
WIDTHS = "[e.clientWidth, Math.round(e.querySelector('svg').getBoundingClientRect().width)]"


def brightness(page: Page) -> dict[str, float]:
    """Domain -> how bright its tile is."""
    tiles = page.of_all(
        "#main [data-chart=heat_map] path[aria-roledescription='rect mark']",
        "[e.getAttribute('aria-label'), ...e.getAttribute('fill').match(/\\d+/g).map(Number)]",
    )
    return {
        name.split(", ")[1].split(":")[0]: 0.2126 * red + 0.7152 * green + 0.0722 * blue
        for name, red, green, blue in tiles
    }


def test_the_brightest_tile_is_the_best(page: Page) -> None:
    page.filter("domain", "galaxies")
    page.filter("domain", "fields")
    fid = brightness(page)
    assert fid["galaxies"] > fid["fields"]  # 110 and 140, lower is better
    page.choose("metric", "precision")
    precision = brightness(page)
    assert precision["fields"] > precision["galaxies"]  # 0.7 and 0.55, higher is better
    assert sorted(fid.values()) == sorted(precision.values())


def test_every_interval_is_drawn(page: Page) -> None:
    assert len(page.all(RULES.format("gap_scatter"))) == 6 + 2  # the gap once per place
    assert len(page.all(RULES.format("eta"))) == 7
    assert len(page.all(RULES.format("forest"))) == 7 + 3  # the references of each board
    page.choose("metric", "novelty")  # has no interval, but the gap has
    assert len(page.all(RULES.format("gap_scatter"))) == 2 and page.all(RULES.format("eta")) == []


def test_marks_of_the_leaderboard_are_no_category(page: Page) -> None:
    for scheme, theme in (("light", LIGHT), ("dark", DARK)):
        page.emulate(scheme)
        page.wait(
            f"document.querySelector(\"{POINTS.format('forest')}\")?.getAttribute('stroke') === arguments[0]",
            theme.ink,
        )
        page.settle()
        marks = page.of_all(POINTS.format("forest"), "[e.getAttribute('aria-label'), e.getAttribute('fill')]")
        assert {fill for name, fill in marks if "tied" in name} == {theme.ink}
        assert {fill for name, fill in marks if "tied" not in name} == {theme.card}
        assert not set(page.of_all(POINTS.format("forest"), "e.getAttribute('stroke')")) & set(theme.series)


def test_charts_follow_a_phone_that_is_turned(page: Page) -> None:
    page.emulate("light", 844, 390)
    page.driver.refresh()
    page.settle()
    page.filter("domain", "fields")
    page.emulate("light", 390, 844)
    page.wait("document.documentElement.clientWidth === 390")
    page.show_all()
    widths = page.of_all(".chart", WIDTHS)
    assert len(widths) == 10 and all(0 < chart == place for place, chart in widths), widths
    page.filter("domain", "fields")
    page.emulate("light", 1280, 900)
    page.show_all()
    widths = page.of_all(".chart", WIDTHS)
    assert all(0 < chart == place for place, chart in widths), widths
    assert page.errors() == []
