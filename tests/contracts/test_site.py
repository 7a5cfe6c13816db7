"""The documentation as a site: it builds without a warning, its links lead somewhere, it needs no network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

from tests.cli import LIMIT
from tests.dashboard.browser import NEEDS_CHROMIUM, chromium
from tests.dashboard.browser import Page as Opened

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""Elements that a browser loads something for, and the attribute that says what."""
NOT_LOADED = {"canonical", "next", "prev"}
"""Values of `rel` for which it loads nothing."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get(LOADED.get(tag, "")) and given.get("rel") not in NOT_LOADED:
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]  # --quiet swallows strict
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def is_outside(link: str) -> bool:
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


def test_links_and_anchors_lead_somewhere(pages: dict[Path, Page]) -> None:
    assert len(pages) > 30
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            if is_outside(link):
                continue
            parts = urlsplit(link)
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert goal.is_file(), f"{path.name}: {link}"
            if parts.fragment and goal.suffix == ".html":
                assert unquote(parts.fragment) in pages[goal].anchors, f"{path.name}: {link}"


def test_nothing_is_loaded_from_the_network(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        assert not [load for load in page.loads if is_outside(load) and not load.startswith("data:")], path
    for path in site.rglob("*.css"):
        loads = re.findall(r"(?:@import|url\()\s*[\"']?([^\"')\s;]+)", path.read_text(encoding="utf-8"))
        assert not [load for load in loads if load.startswith(("http", "//"))], path


def test_every_file_of_the_configuration_is_there(site: Path, pages: dict[Path, Page]) -> None:
    for path in (ROOT / "conf").glob("*/*.yaml"):
        assert path.stem in pages[site / "configuration" / f"{path.parent.name}.html"].anchors, path


def test_formulas_and_scripts_are_shown(site: Path) -> None:
    for name in ("concepts.html", "sampling.html", "reference/contracts.html"):
        text = (site / name).read_text(encoding="utf-8")
        assert "<math" in text and ":math:" not in text and "arithmatex" not in text, name
    shown = re.sub("<[^>]+>", "", (site / "examples.html").read_text(encoding="utf-8"))
    for path in (ROOT / "docs" / "examples").glob("*.py"):
        assert path.read_text(encoding="utf-8").splitlines()[0].strip('"') in shown, path


@NEEDS_CHROMIUM
def test_it_opens_from_disk_and_finds(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as driver:
        page = Opened(driver)
        scheme = "document.body.getAttribute('data-md-color-scheme') === arguments[0]"
        for system, wanted in (("dark", "slate"), ("light", "default")):  # it follows, before one is chosen
            page.emulate(system)
            driver.get((site / "index.html").as_uri())
            page.wait(scheme, wanted)
        page.js("document.querySelector('[data-md-toggle=search]').click()")
        page.all("input.md-search__input")[0].send_keys("eta")
        page.wait("document.querySelectorAll('.md-search-result__item').length > 1")
        assert any("eta" in text for text in page.texts(".md-search-result__item"))
        assert page.errors() == []


@NEEDS_CHROMIUM
def test_a_small_window_shows_the_navigation_and_whole_commands(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as driver:
        page = Opened(driver)
        page.emulate("light", 1200)
        driver.get((site / "index.html").as_uri())
        (left,) = page.of_all(".md-sidebar--primary", "e.getBoundingClientRect().left")
        assert left >= 0
        commands = ".language-bash pre > code"
        assert all(page.of_all(commands, "e.scrollWidth <= e.clientWidth"))
        copied = "(e.setAttribute('data-md-copying', ''), e.innerText.trim() === e.textContent.trim())"
        assert all(page.of_all(commands, copied))  # a wrapped command is copied as one line


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")  # as mkdocs does for its hooks
    return import_module("configuration")


def test_a_file_without_a_head_comment_ends_the_build(configuration: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# @package _global_\nwidth: 1.0   # in units of the mean\n")
    with pytest.raises(configuration.PluginError, match=r"mine\.yaml.*comment that says what it is"):
        configuration.page("prior", tmp_path)


def test_what_a_page_says_of_a_file(configuration: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "# Heavier tails: docs/extending.md.\n"
        "#\n"
        "#   ood-diffusion prior=mine\n"
        "defaults:\n"
        "  - /grid@inner.grid: karras   # any\n"
        "_target_: mine.Laplace\n"
        "# Above 0 | at most 1.\n"
        "width: [1.0, 2.0]   # of <both>\n"
        "deep:\n"
        "  er: ${level}\n"
    )
    page = configuration.page("prior", tmp_path)
    assert "Heavier tails: [docs/extending.md](../extending.md)." in page
    assert page.count("ood-diffusion prior=mine") == 1
    assert "| `grid@prior.inner.grid` | `karras` | any |" in page
    assert r"| `prior.width` | `[1.0, 2.0]` | Above 0 \| at most 1.<br>of &lt;both> |" in page
    assert "| `prior.deep.er` | `${level}` |  |" in page
    assert "_target_" not in page
