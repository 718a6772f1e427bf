"""Reads a statement: where its parameters stand, so that values are bound and never become text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowruntime.authoring import FatalNodeError
from sqlalchemy import TextClause, text

__all__ = ["AsJson", "Statement", "read_statement", "require_in_transaction"]

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
#: What stands behind a parameter that is to be JSON, whatever its value is.
_CAST: Final = re.compile(r"\s*::\s*jsonb?\b(?!\s*\[)", re.IGNORECASE)
_CAST_AS: Final = re.compile(r"\s+AS\s+jsonb?\s*\)", re.IGNORECASE)
_CAST_OF: Final = re.compile(r"\bCAST\s*\(\s*$", re.IGNORECASE)
_WORD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(\w*)", re.DOTALL)


#: What would end the transaction around a statement, and then what is executed is all or none no more.
_ENDS: Final = re.compile(
    r"(BEGIN|START|COMMIT|END|ABORT|PREPARE\s+TRANSACTION)\b|ROLLBACK\b(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b)",
    re.IGNORECASE,
)
#: What the driver has to be fed with, or to be emptied of.
_COPIES: Final = re.compile(r"COPY\b.*\b(FROM\s+STDIN|TO\s+STDOUT)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class AsJson:
    """A value that is bound as JSON."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement ready to be executed; `names` are its parameters, in their order, `json_names` those cast to JSON."""

    clause: TextClause
    names: tuple[str, ...]
    json_names: frozenset[str]
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
        return {name: AsJson(given[name]) if name in self.json_names else given[name] for name in self.names}


def read_statement(statement: str) -> Statement:
    """Find the parameters of a statement: `:name`, outside of texts, quoted names and comments.

    >>> read_statement("SELECT ':no' WHERE a = :a AND b = :b::int").names
    ('a', 'b')
    >>> sorted(read_statement("SELECT :a::jsonb, CAST(:b AS json), :c::jsonb[], :d AS json").json_names)
    ['a', 'b']
    """
    names: dict[str, None] = {}
    json_names: set[str] = set()
    parts: list[str] = []
    at = 0
    for piece in _PIECES.finditer(statement):
        parts.append(statement[at : piece.start()])
        at = piece.end()
        if name := piece["name"]:
            names[name] = None
            if _CAST.match(statement, at) or (
                _CAST_AS.match(statement, at) and _CAST_OF.search(statement, 0, piece.start())
            ):
                json_names.add(name)
            parts.append(f":{name}")
        else:
            parts.append(piece[0].replace(":", r"\:"))  # how SQLAlchemy writes a colon that is none of its own
    parts.append(statement[at:])
    first = _WORD.match(statement)
    return Statement(
        clause=text("".join(parts)),
        names=tuple(names),
        json_names=frozenset(json_names),
        verb=first[1].upper() if first is not None else "",
    )


def require_in_transaction(statement: str) -> None:
    """Raise FatalNodeError for a statement that cannot be part of the transaction in which it is executed."""
    first = _WORD.match(statement)
    at = first.start(1) if first is not None else 0
    if _ENDS.match(statement, at):
        raise FatalNodeError(
            "The statement begins or ends a transaction, which the node does itself.",
            code="sql.statement",
            remedy="Leave it out; what belongs together is one sql.transaction, with SAVEPOINT where a part is undone.",
        )
    if _COPIES.match(statement, at):
        raise FatalNodeError(
            "COPY from and to the client has nothing to read from, or to write to.",
            code="sql.statement",
            remedy="Insert rows by sql.execute with an array of parameters, and take them by sql.query.",
        )
