"""Links between files of the repository, as GitHub follows them, become links between pages of the site."""

import posixpath
import re
from collections.abc import Callable, Iterator

LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)


def inside(markdown: str, origin: str) -> Iterator[str]:
    """Files and folders of the repository that a page links to; `origin`: its own path there."""
    for i, part in enumerate(CODE.split(markdown)):
        for link in [] if i % 2 else LINK.findall(part):
            if not is_outside(link):
                yield target(link, origin)[0]


def rewritten(markdown: str, origin: str, page: str, place: Callable[[str], str]) -> str:
    """The page with its links as the site needs them.

    Args:
        markdown: of the page.
        origin: its path in the repository.
        page: its path in the site.
        place: path in the repository -> path in the site, an anchor included where there is one.
    """

    def moved(link: str) -> str:
        if is_outside(link):
            return link
        file, anchor = target(link, origin)
        found = place(file)
        return posixpath.relpath(found, posixpath.dirname(page) or ".") + (f"#{anchor}" if anchor else "")

    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda found: moved(found[1]), part) for part in parts[::2]]
    return "".join(parts)


def target(link: str, origin: str) -> tuple[str, str]:
    """The file of the repository that a link of the page `origin` leads to, and the anchor in it."""
    file, _, anchor = link.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), file)), anchor


def is_outside(link: str) -> bool:
    """Whether the link leads to the web, or to another place of its own page."""
    return link.startswith("#") or ":" in link.split("/")[0]
