"""Gives ports their new names in the expressions that refer to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from flowcore.values import FrozenDict, FrozenList

from flowruntime.expressions import OPEN, Steps
from flowruntime.expressions.parsing import quoted
from flowruntime.expressions.templates import Piece, TemplateError, split_template

__all__ = ["OutputNames", "rename_references"]

#: For each node id the new names of its output ports by their old ones.
OutputNames: TypeAlias = Mapping[str, Mapping[str, str]]

_NODES: Final = "nodes"
_NAMES: Final = frozenset({"quoted_identifier", "unquoted_identifier"})
#: `nodes`, a dot, the id, a dot, the port.
_REFERENCE_TOKENS: Final = 5


def rename_references(value: Any, names: OutputNames, *, except_at: Collection[Steps] = ()) -> Any:
    """A frozen value in which `${{ nodes.ID.PORT }}` has the ports' new names; itself when there is none to change.

    All else in the texts stays as it is. What stands at the paths `except_at` has a scope of its own, and is passed
    over. What cannot be parsed is left to whoever tells so.

    >>> rename_references("a ${{ nodes.get.text || 'b' }}", {"get": {"text": "body"}})
    "a ${{ nodes.get.body || 'b' }}"
    """
    return _renamed(value, names, except_at, ())


def _renamed(value: Any, names: OutputNames, except_at: Collection[Steps], steps: Steps) -> Any:
    if steps in except_at:
        return value
    if isinstance(value, str):
        return _renamed_text(value, names) if OPEN in value and _NODES in value else value
    if isinstance(value, dict):
        made = {key: _renamed(item, names, except_at, (*steps, key)) for key, item in value.items()}
        return value if all(made[key] is value[key] for key in value) else FrozenDict(made)
    if isinstance(value, list):
        items = [_renamed(item, names, except_at, (*steps, index)) for index, item in enumerate(value)]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else FrozenList(items)
    return value


def _renamed_text(text: str, names: OutputNames) -> str:
    made, position = "", 0
    for start, end in _expressions(text):
        made += text[position:start] + _renamed_expression(text[start:end], names)
        position = end
    made += text[position:]
    return text if made == text else made


def _expressions(text: str) -> Iterator[tuple[int, int]]:
    """Where the expressions of a text begin and end, without braces and the spaces around them."""
    try:
        parts = split_template(text)
    except TemplateError:
        return
    position = 0
    for piece in parts:
        if not isinstance(piece, Piece):
            continue
        start = text.find(OPEN, position)
        while start > position and text[start - 1] == "$":  # a literal
            position = start + len(OPEN)
            start = text.find(OPEN, position)
        begin = start + len(OPEN)
        begin += len(text[begin:]) - len(text[begin:].lstrip())
        position = begin + len(piece.text)
        yield begin, position


def _renamed_expression(text: str, names: OutputNames) -> str:
    from jmespath.exceptions import JMESPathError
    from jmespath.lexer import Lexer

    try:
        tokens = list(Lexer().tokenize(text))
    except (JMESPathError, ValueError, PendingDeprecationWarning):
        return text
    made, position = "", 0
    for place in range(len(tokens) - _REFERENCE_TOKENS + 1):
        root, dot, node, second_dot, port = tokens[place : place + _REFERENCE_TOKENS]
        is_reference = (
            root["type"] in _NAMES
            and root["value"] == _NODES
            and (dot["type"], second_dot["type"]) == ("dot", "dot")
            and node["type"] in _NAMES
            and port["type"] in _NAMES
            and (place == 0 or tokens[place - 1]["type"] != "dot")
        )
        new = names.get(node["value"], {}).get(port["value"]) if is_reference else None
        if new is not None:
            # The lexer says where a token begins; a quoted one ends before whatever comes next.
            following = (
                tokens[place + _REFERENCE_TOKENS]["start"] if place + _REFERENCE_TOKENS < len(tokens) else len(text)
            )
            written = text[port["start"] : following]
            made += text[position : port["start"]] + quoted(new) + written[len(written.rstrip()) :]
            position = following
    return made + text[position:]
