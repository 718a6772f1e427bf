"""The documents under test: README files and docs, their code blocks, links and headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.source_tree import ROOT

__all__ = ["Block", "anchors_of", "blocks_of", "documents", "links_of", "section_of"]

#: A comment on a line of its own before a block that no test runs.
NOT_RUN = "<!-- not run -->"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document."""

    document: Path
    line: int
    language: str
    text: str
    #: What the document says that the block prints: the `text` block that follows at once, else nothing.
    prints: str
    is_run: bool

    @property
    def place(self) -> str:
        """Where it stands, as pytest shows it."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """Every document of the project."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


def blocks_of(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    matches = list(_FENCE.finditer(text))
    blocks = []
    for match, following in zip(matches, [*matches[1:], None], strict=False):
        prints = ""
        if following is not None and following[1] == "text" and not text[match.end() : following.start()].strip():
            prints = following[2]
        before = text[: match.start()]
        blocks.append(
            Block(
                document=document,
                line=before.count("\n") + 1,
                language=match[1],
                text=match[2],
                prints=prints,
                is_run=not before.rstrip().endswith(NOT_RUN),
            )
        )
    return blocks


def links_of(document: Path) -> Iterator[str]:
    """What the links of a document point at, those within code left out."""
    text = re.sub(r"`[^`\n]*`", "", _without_blocks(document))
    return (match[1] for match in _LINK.finditer(text))


def anchors_of(document: Path) -> set[str]:
    """The fragments that a link into a document may name: those of its headings."""
    headings = (match[2].lower() for match in _HEADING.finditer(_without_blocks(document)))
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


def section_of(document: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level or a higher one. Raises LookupError without it."""
    text = document.read_text(encoding="utf-8")
    blocks = [match.span() for match in _FENCE.finditer(text)]
    found = [
        match for match in _HEADING.finditer(text) if not any(start <= match.start() < end for start, end in blocks)
    ]
    for index, match in enumerate(found):
        if match[2] == heading:
            after = (other.start() for other in found[index + 1 :] if len(other[1]) <= len(match[1]))
            return text[match.end() : next(after, len(text))]
    raise LookupError(heading)


def _without_blocks(document: Path) -> str:
    return _FENCE.sub("", document.read_text(encoding="utf-8"))
