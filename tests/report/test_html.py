"""The page of a run: what stands on it, and nothing that it needs from elsewhere."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ood_diffusion.figures import Figure
from ood_diffusion.report import sections
from ood_diffusion.report.html import MAX_BYTES, write_report
from ood_diffusion.report.pictures import Pictures
from ood_diffusion.report.wording import number, percent, spread
from tests.report.fake import arrays, images, pictures, results

VOID = {"meta", "img", "br", "hr", "link", "wbr", "input"}


@pytest.fixture(autouse=True)
def no_files_of_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the page, unless the test is of them."""
    if "pdf" not in request.fixturenames:
        monkeypatch.setattr("ood_diffusion.report.html.save", lambda path, drawn, pdf: None)


class Page(HTMLParser):
    """Collect tags, visible text and every attribute that could fetch something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text, self.open = "", []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def write(path: Path, words: Any, shown: Pictures, plots: bool = True) -> tuple[str, Page]:
    norms, angles = (arrays(108.0, 2.0), arrays(86.0, 1.5)) if plots else ({}, {})
    write_report(path / "report.html", words, shown, norms, angles)
    html = (path / "report.html").read_text(encoding="utf-8")
    return html, Page(html)


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    html, page = write(tmp_path, results(), pictures())
    assert len(html.encode()) <= MAX_BYTES
    assert page.all("img")
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in page.all("img"))
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe", "object", "embed", "base"}]
    for _, attributes in page.tags:
        for value in attributes.values():
            assert not re.match(r"\s*(https?:)?//", value or "", re.IGNORECASE)
    assert html.startswith("<!doctype html>")
    assert "url(" not in html and "@import" not in html
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(link["href"][1:] in ids for link in page.all("a"))


@pytest.mark.parametrize("pdf", [False, True])
def test_plots_are_written_as_pdf_on_request(tmp_path: Path, pdf: bool) -> None:
    norms, angles = arrays(108.0, 2.0), arrays(86.0, 1.5)
    write_report(tmp_path / "report.html", results(), pictures(), norms, angles, pdf)
    plots, papers = ({path.stem for path in tmp_path.glob(f"*.{kind}")} for kind in ("svg", "pdf"))
    assert {"latent_norms", "latent_angles"} <= plots and papers == (plots if pdf else set())


def test_headings_are_nested_and_named(tmp_path: Path) -> None:
    _, page = write(tmp_path, results(), pictures())
    assert [tag for tag, _ in page.tags if re.fullmatch(r"h\d", tag)] == ["h1"] + ["h2"] * 9
    assert page.all("html")[0]["lang"] == "en" and len(page.all("main")) == 1


def test_every_number_given_appears(tmp_path: Path) -> None:
    words = results()
    text = " ".join(write(tmp_path, words, pictures())[1].text.split())
    expected = [number(value) for value in words["coordinates"].values()]
    expected += [number(words["reconstruct"]["psnr_min"]), spread(39.8123, 2.134)]
    for geometry in words["latents"].values():
        for key in ("norm", "origin_angle", "pair_distance", "vertex_angle"):
            expected.append(spread(geometry[f"{key}_mean"], geometry[f"{key}_sd"]))
    expected += [percent(share) for share in words["sample"]["acceptance"].values()]
    expected += [number(words["sample"][key]) for key in ("proposed", "accepted", "nearest_reference_latent")]
    for judged in words["metrics"]["sets"].values():
        expected += [number(value) for value in judged.values()]
        expected.append(f"efficientnet_lite0, {judged['n']} vs 512")
    expected += [number(words["metrics"]["novelty"][key]) for key in ("generated", "held_out", "ratio")]
    expected += [percent(0.0156), number(1280)]
    for column in ("network_calls", "seconds", "images_per_second"):
        expected += [number(value) for value in words["cost"][column].values()]
    expected += [number(1843.2), *words["versions"].values(), words["weights"]["before"]]
    expected += [f"distance {number(float(d))}" for d in np.linspace(5.0, 9.0, 5)]
    flat = text.replace("\u00a0", " ")
    assert [item for item in expected if item.replace("\u00a0", " ") not in flat] == []
    assert "cannot be compared" in text and "biased upward" in text
    assert "NOT EQUAL" not in text and "(lower is better)" in text


def test_changed_weights_are_shouted(tmp_path: Path) -> None:
    words = results()
    words["weights"]["after"] = "0" * 32
    assert write(tmp_path, words, pictures())[1].text.count("NOT EQUAL") == 2


def test_a_hostile_name_is_text_and_nothing_else(tmp_path: Path) -> None:
    hostile = "\"'><script>alert(1)</script><img src=http://evil.example/x.png onerror=alert(1)>{{ 7 * 7 }}"
    words = results()
    words["coordinates"]["domain"] = words["metrics"]["extractor"] = words["coordinates"]["prior"] = hostile
    words["versions"] = {hostile: hostile}
    words["cost"]["seconds"] = {hostile: 1.0}
    words["metrics"]["sets"][hostile] = {"n": 1, "fid": 2.0}
    _, page = write(tmp_path, words, pictures())
    assert not page.all("script")
    assert all(image["src"].startswith("data:") and "onerror" not in image for image in page.all("img"))
    assert hostile in page.text and "49" not in page.all("title")


@pytest.mark.parametrize("section", list(results()))
def test_a_missing_section_is_left_out(tmp_path: Path, section: str) -> None:
    words = results()
    del words[section]
    _, page = write(tmp_path, words, pictures(), plots=section != "latents")
    headings = {attributes.get("id") for attributes in page.all("h2")}
    gone = {"latents": "h-latents", "sample": "h-selection", "metrics": "h-metrics", "cost": "h-cost"}
    assert gone.get(section) not in headings
    assert "None" not in page.text and "nan" not in page.text.split()


def test_an_empty_run_still_makes_a_page(tmp_path: Path) -> None:
    _, page = write(tmp_path, {}, Pictures(torch.empty(0, 3, 8, 8, dtype=torch.uint8)), plots=False)
    assert not page.all("img") and not page.all("h2")
    _, page = write(tmp_path, {"sample": {"accepted": 4, "acceptance": {}}}, Pictures(images(3)), plots=False)
    assert len(page.all("img")) == 3
    _, page = write(tmp_path, {"metrics": {"sets": {"samples": {"fid": None}}}}, Pictures(images(2)))
    assert "—" in page.text


def test_a_page_that_would_be_too_large_shows_fewer_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = torch.randint(0, 256, (24, 3, 64, 64), dtype=torch.uint8)
    shown = Pictures(noise, noise, noise, noise, np.ones(24))
    html, page = write(tmp_path, results(), shown)
    assert len(html.encode()) <= MAX_BYTES and "Showing 24 of 96" in page.text
    monkeypatch.setattr("ood_diffusion.report.html.MAX_BYTES", 600_000)
    html, page = write(tmp_path, results(), shown)
    assert len(html.encode()) <= 600_000 and "Showing 12 of 96" in page.text


def test_large_images_are_shrunk(tmp_path: Path) -> None:
    _, page = write(tmp_path, results(), Pictures(images(1, size=300)), plots=False)
    body = base64.b64decode(page.all("img")[0]["src"].split(",")[1])
    with Image.open(io.BytesIO(body)) as image:
        assert image.size == (192, 192)


def test_an_interval_is_written_in_the_unit_of_its_figure_and_once() -> None:
    found = {"a": 0.0469, "i": {"value": 0.0469, "low": 0.0217, "high": 0.0985}}
    assert sections.ends(Figure("a", unit="share", interval="i"), found) == "2.17 % to 9.85 %"
    assert sections.ends(Figure("a", interval="i"), found) == "0.0217 to 0.0985"
    even = {"a": 7.0, "i": {"value": 7.0, "low": -7.0, "high": 21.0}}
    assert sections.ends(Figure("a", interval="i"), even) == ""  # it stands as ± beside the number
    assert sections.written(Figure("a", interval="i"), even) == "7 ±\u00a014"
