"""Reads a statement: where its parameters stand, so that values are bound and never become text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowruntime.authoring import FatalNodeError
from sqlalchemy import TextClause, text

__all__ = ["Statement", "read_statement"]

# SQLAlchemy's own reading takes ':b' in '{"a" :b}' for a parameter, and none in ':a::int'.
_PIECES: Final = re.compile(
    r"""
      (?P<kept>
          (?<!\w)[eE]'(?:[^'\\]|\\.|'')*'       # PostgreSQL's text with escapes
        | '(?:[^']|'')*'                        # a text
        | "(?:[^"]|"")*" | `[^`]*`              # a name
        | --[^\n]* | /\*.*?\*/                  # a comment
        | (?<!\w)\$(?P<tag>\w*)\$.*?\$(?P=tag)\$  # PostgreSQL's text between dollars
        | ::                                    # PostgreSQL's cast
      )
    | (?<![\w:]):(?P<name>[^\W\d]\w*)
    | (?P<colon>:)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(\w*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement ready to be executed; `names` are its parameters, in their order."""

    clause: TextClause
    names: tuple[str, ...]
    #: Its first word in capitals, such as SELECT.
    verb: str

    def values(self, given: Mapping[str, Any], place: str = "'parameters'") -> dict[str, Any]:
        """The given values of its parameters, and no others. Raises FatalNodeError when some are missing."""
        missing = [name for name in self.names if name not in given]
        if missing:
            listed = ", ".join(f":{name}" for name in missing)
            raise FatalNodeError(
                f"The statement has parameters that {place} gives no value for: {listed}.",
                code="sql.parameters",
                remedy="Give each a value at the input port 'parameters', null for NULL; "
                "a colon that is none of a parameter belongs between quotes.",
            )
        return {name: given[name] for name in self.names}


def read_statement(statement: str) -> Statement:
    """Find the parameters of a statement: `:name`, outside of texts, quoted names and comments.

    >>> read_statement("SELECT ':no' WHERE a = :a AND b = :b::int").names
    ('a', 'b')
    """
    names: dict[str, None] = {}
    parts: list[str] = []
    at = 0
    for piece in _PIECES.finditer(statement):
        parts.append(statement[at : piece.start()])
        at = piece.end()
        if name := piece["name"]:
            names[name] = None
            parts.append(f":{name}")
        else:
            parts.append(piece[0].replace(":", r"\:"))  # how SQLAlchemy writes a colon that is none of its own
    parts.append(statement[at:])
    first = _WORD.match(statement)
    return Statement(
        clause=text("".join(parts)), names=tuple(names), verb=first[1].upper() if first is not None else ""
    )
