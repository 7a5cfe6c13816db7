"""Formulas as MathML, which browsers draw themselves: no script, no font, no network.

Pages write ``$x$``, as GitHub does; docstrings write :math:`x`, as Sphinx does.
"""

import html
import re

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

INLINE = re.compile(r":math:`([^`]+)`")
DISPLAY = re.compile(r"^( *)\.\. math::(.*(?:\n\1 +\S.*)*)", re.MULTILINE)
SPAN = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


class SphinxFormulas(Extension):  # type: ignore[misc]
    """Formulas as docstrings have them become formulas as pages have them."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Before anything else is read: a formula may go over several lines."""
        md.preprocessors.register(_SphinxFormulas(md), "sphinx_formulas", 1000)


class _SphinxFormulas(Preprocessor):  # type: ignore[misc]
    def run(self, lines: list[str]) -> list[str]:
        return with_dollars("\n".join(lines)).split("\n")


def with_dollars(text: str) -> str:
    """``:math:`` roles and ``.. math::`` blocks of `text` between dollars."""
    text = DISPLAY.sub(
        lambda found: f"\n{found[1]}$$\n{found[1]}{' '.join(found[2].split())}\n{found[1]}$$\n", text
    )
    return INLINE.sub(lambda found: f"${' '.join(found[1].split())}$", text)


def with_mathml(page: str) -> str:
    """The HTML `page` with what pymdownx.arithmatex found drawn as MathML."""
    return SPAN.sub(
        lambda found: convert(
            html.unescape(found[2]).strip(), display="block" if found[1] == "div" else "inline"
        ),
        page,
    )
