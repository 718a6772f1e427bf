"""Parses one JMESPath expression, and says what to write instead of what is none."""

from __future__ import annotations

import re
from typing import Any, Final

from flowruntime.expressions.templates import MAX_EXPRESSION_CHARS, OPEN

__all__ = ["MAX_EXPRESSION_DEPTH", "ExpressionError", "parse", "quoted", "shown"]

#: How many levels an expression may nest.
MAX_EXPRESSION_DEPTH: Final = 64

_LONGEST_SHOWN: Final = 200
#: What people take for a name: a run of characters without signs of the syntax.
_WORD: Final = re.compile(r"""[^\s.,:"'`\[\](){}|&=!<>@*+/%]+""")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
#: What is quoted, and brackets.
_BRACKET: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|[()\[\]{}]""", re.DOTALL)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_PATH_BEFORE: Final = re.compile(r"""(?:(?:"[^"]*"|\w+)\.)+$""")


class ExpressionError(ValueError):
    """Why an expression cannot be used: `code`, the message, `remedy`, the `column` (from 0) where it is known."""

    def __init__(self, message: str, *, code: str, remedy: str, column: int | None = None) -> None:
        self.code = code
        self.column = column
        self.message = message
        self.remedy = remedy
        super().__init__(message)

    @classmethod
    def too_deep(cls) -> ExpressionError:
        """The error of what nests too deep."""
        return cls(
            f"The expression is nested deeper than {MAX_EXPRESSION_DEPTH}.",
            code="expression.too_deep",
            remedy="Split it over several transform.set nodes.",
        )


def parse(text: str) -> Any:
    """The tree that jmespath parses into: objects `{"type", "children", "value"}`, calls with a `"column"`.

    Raises ExpressionError.
    """
    if not text.strip():
        raise ExpressionError(
            "The expression is empty.", code="expression.syntax", remedy="Write a path or a function."
        )
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(
            f"The expression has {len(text)} characters, the limit is {MAX_EXPRESSION_CHARS}.",
            code="expression.too_long",
            remedy="Split it over several transform.set nodes.",
        )
    if _PLAIN_PATH.fullmatch(text):
        return _plain_tree(text.split("."))
    from jmespath.exceptions import JMESPathError

    from flowruntime.expressions.places import parse_with_columns

    try:
        return parse_with_columns(text)
    except RecursionError:
        raise ExpressionError.too_deep() from None
    except PendingDeprecationWarning:  # under -W error
        raise _not_jmespath(text, None, "Texts stand in single quotes: 'text'.") from None
    except (JMESPathError, ValueError) as error:
        column = getattr(error, "lex_position", None)
        raise _not_jmespath(text, column, _remedy(text, len(text) if column is None else column)) from None


def _plain_tree(names: list[str]) -> Any:
    """What jmespath makes of a plain path: most expressions are one, and its parser is dear."""
    fields: list[Any] = [{"type": "field", "children": [], "value": name} for name in names]
    return fields[0] if len(fields) == 1 else {"type": "subexpression", "children": fields}


def quoted(name: str) -> str:
    """A field name as expressions write it.

    >>> quoted("body"), quoted("fetch-data")
    ('body', '"fetch-data"')
    """
    return name if _NAME.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shown(text: str) -> str:
    """An expression as messages show it."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def _not_jmespath(text: str, column: int | None, remedy: str) -> ExpressionError:
    if column is None:
        where = ""
    elif column < len(text):
        where = f" at column {column} ({text[column]!r})"
    else:
        where = ": it ends too early"
    return ExpressionError(
        f"{shown(text)} is not JMESPath{where}.", code="expression.syntax", remedy=remedy, column=column
    )


def _remedy(text: str, column: int) -> str:
    """What to write instead of what stands at the column, where the parser stumbled."""
    if OPEN in text:
        return f"This field takes a bare expression: leave out {OPEN} and }}}}."
    if name := _unquoted_name(text, column):
        return name
    if column >= len(text) and (opened := _open_bracket(text)) is not None:
        return f"Close the {text[opened]!r} at column {opened}."
    rest = text[column:]
    if number := _NUMBER.match(rest):
        return f"Write the number in backticks: `{number[0]}`."
    if rest[:1] in ("+", "-", "*", "/", "%"):
        return "JMESPath has no arithmetic signs: write add(a, b) for numbers, join('', [a, b]) for texts."
    if rest.startswith("="):
        return "Compare with ==."
    if rest[:1] in ("'", '"', "`"):
        return "Close what is quoted: 'text', \"name\" or `JSON`; fields are written with a dot."
    return "See https://jmespath.org for the syntax."


def _open_bracket(text: str) -> int | None:
    """The column of the last bracket that is not closed."""
    opened: list[int] = []
    for found in _BRACKET.finditer(text):
        if found[0] in "([{":
            opened.append(found.start())
        elif found[0] in ")]}" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _unquoted_name(text: str, column: int) -> str | None:
    """The remedy for a name that would have to be quoted, if that is what stands at the column."""
    for word in _WORD.finditer(text):
        if word.end() <= column:
            continue
        after_dot = text[: word.start()].endswith(".")
        within = word.start() < column
        is_name = within or after_dot or (word.start() == column and word[0][0].isalpha())
        if word.start() > column or not is_name or _NAME.fullmatch(word[0]):
            return None
        path = _PATH_BEFORE.search(text[: word.start()])
        minus = "; there is no sign for minus" if "-" in word[0] and within else ""
        return f"Write {path[0] if path else ''}{quoted(word[0])} with the name in double quotes{minus}."
    return None
