"""Changes values inside a JSON text, and leaves every other byte of it as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Final, NamedTuple

from flowcore.values import write_json

__all__ = ["patch_json", "same_json"]

_DECODER: Final = JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"[^ \t\r\n,\]}]+")
#: Something that stands on the line of the bracket around it.
_ON_ONE_LINE: Final = re.compile(r"[\[{][ \t]*[^\s\]}]")
#: What may stand before a value on a line that is its own.
_OWN_LINE: Final = re.compile(r'[ \t]*(?:"[^"]*":[ \t]*)?')
_INDENT: Final = re.compile(r"\n([ \t]+)\S")
#: An object or array that is new stands on one line up to this length.
_LINE_CHARS: Final = 80


class _Member(NamedTuple):
    """One element of an object or array in the text."""

    #: The spaces before it, from the bracket or comma on.
    lead: str
    key: str
    #: From the key's quote to the value, and "" in an array.
    head: str
    value: _Span
    #: The spaces after it, up to the comma or bracket.
    tail: str


class _Span(NamedTuple):
    """Where a value stands in the text; `members` are those of an object or array."""

    start: int
    end: int
    members: tuple[_Member, ...]


def patch_json(text: str, old: Any, new: Any) -> str:
    r"""The text of the value `old`, which it must be, changed where `new` is another value, and nowhere else.

    Keys of objects stay in their order. A key that goes while another one comes gives its place to it. What is new
    is written in the style of the text: its indentation, its line ends, compact where it is.

    >>> patch_json('{"a": 1,\n "b": [ 1.50 ]}\n', {"a": 1, "b": [1.5]}, {"a": 2, "b": [1.5], "c": None})
    '{"a": 2,\n "b": [ 1.50 ],\n "c": null}\n'
    """
    start = _after_space(text, 1 if text.startswith("\ufeff") else 0)
    span = _scan(text, start)
    patch = _Patch(text, _Style.of(text))
    return text[:start] + patch.value(span, old, new) + text[span.end :]


def same_json(a: Any, b: Any) -> bool:
    """Whether two values are written alike: 1, 1.0 and true are equal to Python, and three things in JSON.

    >>> same_json([1], [1]), same_json(1, True), same_json(1, 1.0)
    (True, False, False)
    """
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    return type(a) is type(b) and bool(a == b)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How a text is written."""

    indent: str
    newline: str
    #: No spaces between the parts.
    tight: bool
    #: Each element has a line of its own.
    expanded: bool

    @classmethod
    def of(cls, text: str) -> _Style:
        indent = _INDENT.search(text)
        return cls(
            indent=indent[1] if indent else "  ",
            newline="\r\n" if "\r\n" in text else "\n",
            tight='": ' not in text,
            expanded=indent is not None and _ON_ONE_LINE.search(text) is None,
        )

    def written(self, value: Any, margin: str, *, lines: bool) -> str:
        """A new value; `margin` is the indentation around it, `lines` whether it may take several lines."""
        if self.tight:
            return write_json(value)
        line = _on_one_line(value)
        if not lines or (len(line) <= _LINE_CHARS and not self.expanded) or not isinstance(value, dict | list):
            return line
        text = _on_lines(value, self.indent, margin)
        return text.replace("\n", self.newline)


class _Patch:
    def __init__(self, text: str, style: _Style) -> None:
        self.text = text
        self.style = style

    def value(self, span: _Span, old: Any, new: Any) -> str:
        """The text of the new value in place of the old one."""
        written = self.text[span.start : span.end]
        if same_json(old, new):
            return written
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            return self._object(span, old, new)
        if isinstance(old, list) and isinstance(new, list) and old and len(old) == len(new):
            parts = zip(span.members, old, new, strict=True)
            inner = [f"{part.lead}{self.value(part.value, a, b)}{part.tail}" for part, a, b in parts]
            return f"[{','.join(inner)}]"
        before = self.text[self.text.rfind("\n", 0, span.start) + 1 : span.start]
        lines = "\n" in written or _OWN_LINE.fullmatch(before) is not None
        return self.style.written(new, self._margin(span.start), lines=lines)

    def _object(self, span: _Span, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        gone = [key for key in old if key not in new]
        come = [key for key in new if key not in old]
        heirs = dict(zip(gone, come, strict=False))
        there = {heirs.get(part.key, part.key): part for part in span.members if part.key in new or part.key in heirs}
        # The order of what stays is the text's; what comes stands where it comes in the new object.
        order = list(there)
        for key, before in zip(new, ["", *new], strict=False):
            if key not in there:
                order.insert(order.index(before) + 1 if before in order else 0, key)
        first, last = span.members[0], span.members[-1]
        lead = last.lead if last is not first else first.lead or self._space()
        inner: list[str] = []
        for place, key in enumerate(order):
            part = there.get(key)
            own = lead if part is None or part is first else part.lead
            before = first.lead if place == 0 else own
            tail = last.tail if place == len(order) - 1 else "" if part is None or part is last else part.tail
            inner.append(before + self._member(part, key, old, new, span) + tail)
        return f"{{{','.join(inner)}}}"

    def _member(
        self, part: _Member | None, key: str, old: Mapping[str, Any], new: Mapping[str, Any], span: _Span
    ) -> str:
        if part is None:
            last = span.members[-1]
            text = self.style.written(new[key], self._margin(last.value.start), lines="\n" in last.lead)
            return f"{write_json(key)}:{self._space()}{text}"
        head = part.head if part.key == key else write_json(key) + part.head[_string(part.head, 0)[1] :]
        return head + self.value(part.value, old[part.key], new[key])

    def _space(self) -> str:
        return "" if self.style.tight else " "

    def _margin(self, position: int) -> str:
        """The indentation of the line in which a position is."""
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]


def _on_one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_json(key)}: {_on_one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_one_line, value)) + "]"
    return write_json(value)


def _on_lines(value: Any, indent: str, margin: str) -> str:
    if not isinstance(value, dict | list) or not value:
        return write_json(value)
    inner = margin + indent
    if isinstance(value, dict):
        parts = [f"{write_json(key)}: {_on_lines(item, indent, inner)}" for key, item in value.items()]
    else:
        parts = [_on_lines(item, indent, inner) for item in value]
    lines = ",\n".join(f"{inner}{part}" for part in parts)
    return f"{{\n{lines}\n{margin}}}" if isinstance(value, dict) else f"[\n{lines}\n{margin}]"


def _string(text: str, start: int) -> tuple[str, int]:
    """The string whose quote is there, and where it ends."""
    value, end = _DECODER.raw_decode(text, start)
    return str(value), end


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()


def _scan(text: str, start: int) -> _Span:
    """The value that begins there, in a text that is known to be JSON."""
    opening = text[start]
    if opening == '"':
        return _Span(start, _string(text, start)[1], ())
    if opening not in "{[":
        found = _SCALAR.match(text, start)
        return _Span(start, start if found is None else found.end(), ())
    members: list[_Member] = []
    position = start + 1
    while True:
        begin = _after_space(text, position)
        if text[begin] in "}]":  # only where there are no members
            return _Span(start, begin + 1, tuple(members))
        lead, key, at = text[position:begin], "", begin
        if opening == "{":
            key, at = _string(text, begin)
            at = _after_space(text, _after_space(text, at) + 1)
        value = _scan(text, at)
        end = _after_space(text, value.end)
        members.append(_Member(lead, key, text[begin:at], value, text[value.end : end]))
        if text[end] != ",":
            return _Span(start, end + 1, tuple(members))
        position = end + 1
