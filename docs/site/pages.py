"""The hook of mkdocs.yml: pages that lie elsewhere in the repository or are made of it, links, formulas.

None of them is committed: README.md is the first page as it stands, `conf/` is the configuration reference.
With GALLERY=1 in the environment the commands of the gallery are run, and what they print and draw is added.
"""

import os
import posixpath
import re
from pathlib import Path

import configuration
import formulas
import gallery
import links
import reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "sweeps/README.md": "sweeps.md",
    **{
        f"ood_diffusion/models/weights/{name}.md": f"models/{name}.md"
        for name in ("cats-64", "density-64", "galaxies-64")
    },
}
"""Pages of the repository that do not lie in `docs/`, and where the site has them."""
LANGUAGES = {
    ".py": "python",
    ".sh": "bash",
    ".cff": "yaml",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
}
"""Ending of a file -> how its listing is coloured."""
BREAKPOINT = {"76.25em": "70em", "76.234375em": "69.984375em"}
"""Width from which the theme shows the navigation beside the page, 1,220 pixels -> ours, 1,120."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let docstrings have formulas, and one of several versions a list of all, which opens from no disk."""
    config.markdown_extensions.append(formulas.SphinxFormulas())
    if os.environ.get("MIKE_DOCS_VERSION"):
        config.extra["version"] = {"provider": "mike"}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in `docs/`."""
    own = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    linked = {
        found
        for page in [*own, *ELSEWHERE]
        for found in links.inside((ROOT / page).read_text(encoding="utf-8"), page)
        if place(found).startswith("files.md")
    }
    conf = ROOT / "conf"
    made: dict[str, str | bytes] = {
        **{site: (ROOT / page).read_text(encoding="utf-8") for page, site in ELSEWHERE.items()},
        "configuration/index.md": configuration.knobs(conf / "config.yaml"),
        **{f"configuration/{g}.md": configuration.page(g, conf / g) for g in configuration.groups(conf)},
        "examples.md": examples(),
        "files.md": listing("Files", "Files of the repository that other pages refer to.", sorted(linked)),
        "reference/python.md": reference.functions(),
        "reference/contracts.md": reference.contracts(),
        "reference/command_line.md": reference.command_line(),
        "reference/results.md": reference.results_words(),
    }
    if os.environ.get("GALLERY"):
        for site, (page, pictures) in gallery.all_executed(ROOT / "docs" / "gallery").items():
            files.remove(files.src_uris[site])
            made |= {site: links.rewritten(page, f"docs/{site}", site, place), **pictures}
    for site, content in made.items():
        files.append(File.generated(config, site, content=content))
    return files


def place(file: str) -> str:
    """Where the site has a file or a folder of the repository, with an anchor if it is part of a page."""
    path = Path(file)
    if file in ELSEWHERE:
        return ELSEWHERE[file]
    if file == "docs/examples":
        return "examples.md"
    if path.parent.as_posix() == "docs/examples":
        return f"examples.md#{anchor(file)}"
    if path.parts[0] == "docs":
        return posixpath.relpath(file, "docs")
    if file == "conf/config.yaml":
        return "configuration/index.md"
    if path.parts[0] == "conf" and path.parts[1] != "hydra":
        group = path.parts[1]
        return f"configuration/{group}.md" + (f"#{path.stem}" if path.suffix else "")
    if path.parent.as_posix() == "sweeps" and path.suffix == ".yaml":
        return f"configuration/sweep.md#{path.stem}"
    return f"files.md#{anchor(file)}"


def anchor(file: str) -> str:
    """The anchor of a file's listing."""
    return re.sub(r"[^a-z0-9]+", "-", file.lower())


def examples() -> str:
    """The gallery: whole scripts to copy."""
    scripts = sorted((ROOT / "docs/examples").glob("*.[ps]*"), key=lambda path: (path.suffix, path.name))
    names = [path.relative_to(ROOT).as_posix() for path in scripts]
    return listing("Examples", "Whole scripts to copy; the tests run them, with fewer images.", names)


def listing(title: str, says: str, names: list[str]) -> str:
    """A page with the text of files of the repository."""
    sections = []
    for name in names:
        text, language = (ROOT / name).read_text(encoding="utf-8"), LANGUAGES.get(Path(name).suffix, "text")
        sections += [f"## {Path(name).name} {{#{anchor(name)}}}", f"`{name}`"]
        sections.append(f"````{language}\n{text.strip()}\n````")
    return reference.page(title, says, sections)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site needs them; generated pages have them already."""
    site = page.file.src_uri
    origins = {there: origin for origin, there in ELSEWHERE.items()}
    if page.file.generated_by and site not in origins:
        return markdown
    return links.rewritten(markdown, origins.get(site, f"docs/{site}"), site, place)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML."""
    return formulas.with_mathml(html)


def on_post_build(config: MkDocsConfig) -> None:
    """Show the navigation in windows of 1,120 pixels and more; the theme has no setting for it.

    Raises:
        PluginError: if the theme's files no longer hold the width.
    """
    changed = 0
    for path in Path(config.site_dir, "assets").glob("*/*.min.*s"):
        text = path.read_text(encoding="utf-8")
        for theirs, ours in BREAKPOINT.items():
            changed += text.count(theirs)
            text = text.replace(theirs, ours)
        path.write_text(text, encoding="utf-8")
    if not changed:
        raise PluginError(f"the theme has no {' or '.join(BREAKPOINT)}: correct BREAKPOINT in {__file__}")
