"""Finds the `${{ … }}` in a string; where one ends is decided by JMESPath's own lexer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["MAX_EXPRESSION_CHARS", "OPEN", "Part", "Piece", "TemplateError", "split_template"]

OPEN = "${{"
_ESCAPED = "$${{"
#: The limit for one expression, 4 KiB.
MAX_EXPRESSION_CHARS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The text of one expression and the column (from 0) at which it starts in its string."""

    text: str
    column: int


Part: TypeAlias = str | Piece


class TemplateError(ValueError):
    """A `${{` without its end."""


def split_template(text: str) -> list[Part]:
    """A string as literal texts and expressions, in order; `$${{` is a literal `${{`.

    >>> split_template("a ${{ {x: y}}} b $${{ c")
    ['a ', Piece(text='{x: y}', column=6), ' b ${{ c']
    """
    parts: list[Part] = []
    literal: list[str] = []
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        if start > position and text[start - 1] == "$":
            literal.append(text[position : start - 1] + OPEN)
            position = start + len(OPEN)
            continue
        literal.append(text[position:start])
        begin = start + len(OPEN)
        end = _find_end(text, begin)
        if joined := "".join(literal):
            parts.append(joined)
        literal = []
        raw = text[begin:end]
        parts.append(Piece(text=raw.strip(), column=begin + len(raw) - len(raw.lstrip())))
        position = end + 2
    literal.append(text[position:])
    if joined := "".join(literal):
        parts.append(joined)
    return parts


def _find_end(text: str, begin: int) -> int:
    """Where the `}}` of the expression that begins there is."""
    from jmespath.exceptions import LexerError
    from jmespath.lexer import Lexer

    window = text[begin : begin + MAX_EXPRESSION_CHARS + 2]
    depth = 0
    try:
        for token in Lexer().tokenize(window):
            if token["type"] == "lbrace":
                depth += 1
            elif token["type"] == "rbrace":
                if depth == 0 and window.startswith("}}", token["start"]):
                    return begin + int(token["start"])
                depth -= 1
    except LexerError:
        # The expression is wrong; its own error is told by whoever compiles it, up to the nearest end.
        end = text.find("}}", begin)
        if end >= 0:
            return end
    if len(text) - begin > MAX_EXPRESSION_CHARS:
        msg = f"The expression at column {begin} has more than {MAX_EXPRESSION_CHARS} characters, or no '}}}}'."
        raise TemplateError(msg)
    msg = f"The '${{{{' at column {begin - len(OPEN)} has no '}}}}'."
    raise TemplateError(msg)
