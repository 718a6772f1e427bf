"""Finds the `${{ … }}` in a string; where one ends is decided by JMESPath's own lexer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["MAX_EXPRESSION_CHARS", "OPEN", "Part", "Piece", "TemplateError", "split_template"]

OPEN: Final = "${{"
_CLOSE: Final = "}}"
#: The limit for one expression, 4 KiB.
MAX_EXPRESSION_CHARS: Final = 4096

#: Nothing in which a brace could be anything but the end.
_NOTHING_CLOSES: Final = re.compile(r"""[^{}'"`]*""")


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one expression, without braces and the spaces around it."""

    text: str


Part: TypeAlias = str | Piece


class TemplateError(ValueError):
    """A `${{` without its end."""


def split_template(text: str) -> list[Part]:
    """A string as literal texts and expressions, in order; `$${{` is a literal `${{`. Raises TemplateError.

    >>> split_template("a ${{ {x: y}}} b $${{ c")
    ['a ', Piece(text='{x: y}'), ' b ${{ c']
    """
    parts: list[Part] = []
    literal = ""
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        begin = start + len(OPEN)
        if start > position and text[start - 1] == "$":
            literal += text[position : start - 1] + OPEN
            position = begin
            continue
        literal += text[position:start]
        if literal:
            parts.append(literal)
        literal = ""
        end = _find_end(text, begin)
        parts.append(Piece(text[begin:end].strip()))
        position = end + len(_CLOSE)
    literal += text[position:]
    if literal:
        parts.append(literal)
    return parts


def _find_end(text: str, begin: int) -> int:
    """Where the `}}` of the expression that begins there is."""
    nearest = text.find(_CLOSE, begin)
    if nearest < 0:
        raise TemplateError(f"The '{OPEN}' at column {begin - len(OPEN)} has no '{_CLOSE}'.")
    if _NOTHING_CLOSES.fullmatch(text, begin, nearest):
        return nearest  # as the lexer would find, which is dear
    from jmespath.exceptions import JMESPathError
    from jmespath.lexer import Lexer

    window = text[begin : begin + MAX_EXPRESSION_CHARS + len(_CLOSE)]
    depth = 0
    try:
        for token in Lexer().tokenize(window):
            if token["type"] == "lbrace":
                depth += 1
            elif token["type"] == "rbrace":
                if depth == 0 and window.startswith(_CLOSE, token["start"]):
                    return begin + token["start"]
                depth -= 1
    except (JMESPathError, ValueError, PendingDeprecationWarning):
        # What is wrong with the expression up to there is told by whoever parses it.
        return nearest
    # Longer than any expression may be, as whoever parses it tells.
    further = text.find(_CLOSE, begin + MAX_EXPRESSION_CHARS)
    if further >= 0:
        return further
    raise TemplateError(
        f"The '{OPEN}' at column {begin - len(OPEN)} has no '{_CLOSE}' outside of quotes and inner braces."
    )
