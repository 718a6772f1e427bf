"""Makes static HTML of the reference in Markdown: pages that load nothing from anywhere."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Final

from markdown_it import MarkdownIt

from flowcli.reference.markdown import INDEX

__all__ = ["html_pages"]

_START: Final = "index.html"
#: Links from page to page.
_LINK: Final = re.compile(r'href="([\w.-]+)\.md"')
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem 1.25rem 4rem; }
nav { border-bottom: 1px solid #8886; padding-bottom: .5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid #8884; padding: .35rem .7rem .35rem 0; }
th, td { text-align: left; vertical-align: top; }
code, pre { background: #8882; border-radius: 4px; font: .9em ui-monospace, monospace; }
code { padding: .1em .3em; } pre { overflow-x: auto; padding: .8rem; } pre code { background: none; padding: 0; }
a { color: #2563eb; } @media (prefers-color-scheme: dark) { a { color: #8ab4ff; } }
"""


def html_pages(markdown: Mapping[str, str]) -> dict[str, str]:
    """The pages as HTML by file name: index.html, and `ID.html` for each type.

    What a pack says is never taken for HTML, and its images are left out.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    pages = {}
    for name, text in markdown.items():
        body = _LINK.sub(_to_html, parser.render(text))
        body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
        title = text.partition("# ")[2].partition("\n")[0]
        pages[_renamed(name)] = _page(title, body, is_index=name == INDEX)
    return pages


def _page(title: str, body: str, *, is_index: bool) -> str:
    navigation = "" if is_index else f'<nav><a href="{_START}">All node types</a></nav>\n'
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{navigation}<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _to_html(match: re.Match[str]) -> str:
    return f'href="{_renamed(f"{match[1]}.md")}"'


def _renamed(name: str) -> str:
    return _START if name == INDEX else f"{name.removesuffix('.md')}.html"
