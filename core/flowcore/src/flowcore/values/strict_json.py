"""Strict JSON: what RFC 8259 leaves open is refused here, each fault with its place.

Refused: other encodings than UTF-8, duplicate keys, NaN and Infinity, integers beyond 64 bit, half surrogate
pairs, nesting deeper than 64, texts above the size limit. The standard library's scanner does the work;
a fault leaves a marker in the parsed tree, and only a tree with markers is walked for their places.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from flowcore.errors import Problem, ProblemList
from flowcore.values.blobs import Blob
from flowcore.values.checks import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER

__all__ = ["MAX_DOCUMENT_BYTES", "ParsedJson", "pointer_of", "read_json", "write_json"]

#: The size limit of a workflow document, 8 MiB.
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024

_LONGEST_INTEGER = len(str(MIN_INTEGER))
_LONGEST_SHOWN = 40

# All but brackets: a string ends at its quote, or with the text, so that no character is looked at twice.
_NO_BRACKETS = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[^"\[\]{}]++)++', re.DOTALL)
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedJson:
    """A JSON text read: its value, or every reason why it has none."""

    value: Any
    problems: tuple[Problem, ...]


class _Fault:
    """Stands in the parsed tree where something refused was."""

    __slots__ = ("code", "message", "remedy", "value")

    def __init__(self, code: str, message: str, remedy: str, value: Any = None) -> None:
        self.code, self.message, self.remedy, self.value = code, message, remedy, value


class _Scan:
    """The hooks of one run of the scanner, and whether any of them refused something."""

    __slots__ = ("faulty",)

    def __init__(self) -> None:
        self.faulty = False

    def constant(self, name: str) -> _Fault:
        return self._fault("json.not_a_number", f"{name} is not JSON.", "Write null or a finite number.")

    def integer(self, digits: str) -> int | _Fault:
        # The length first: converting a number of millions of digits takes minutes.
        if len(digits) <= _LONGEST_INTEGER and MIN_INTEGER <= (number := int(digits)) <= MAX_INTEGER:
            return number
        shown = digits if len(digits) <= _LONGEST_SHOWN else f"{digits[:20]}… ({len(digits)} digits)"
        return self._fault("json.integer_range", f"{shown} does not fit into 64 bit.", "Write it as a string.")

    def real(self, digits: str) -> float | _Fault:
        number = float(digits)
        if math.isfinite(number):
            return number
        shown = digits if len(digits) <= _LONGEST_SHOWN else f"{digits[:20]}… ({len(digits)} digits)"
        return self._fault("json.number_range", f"{shown} is too large for a number.", "Write it as a string.")

    def object(self, items: list[tuple[str, Any]]) -> Any:
        value = dict(items)
        if len(value) == len(items):
            return value
        counts = Counter(key for key, _ in items)
        twice = ", ".join(sorted(repr(key) for key, count in counts.items() if count > 1))
        return self._fault("json.duplicate_key", f"The object has the key {twice} more than once.", "Keep one.", value)

    def _fault(self, code: str, message: str, remedy: str, value: Any = None) -> _Fault:
        self.faulty = True
        return _Fault(code, message, remedy, value)


def read_json(text: str | bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> ParsedJson:
    """Parse strict JSON; all problems at once, as pointers into the text's own tree.

    >>> read_json('{"a": 1}').value
    {'a': 1}
    >>> [str(p) for p in read_json('{"a": [NaN], "b": 18446744073709551616}').problems]  # doctest: +ELLIPSIS
    ['/a/0: NaN is not JSON. ...', '/b: 18446744073709551616 does not fit into 64 bit. ...']
    """
    if len(text) > max_bytes:
        size = f"{len(text) / 1048576:.1f} MiB"
        return _refused(
            "json.too_large",
            f"The document has {size}, the limit is {max_bytes / 1048576:g} MiB.",
            "Keep data out of the document: pass it as inputs, or split the workflow.",
        )
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return _refused(
                "json.encoding",
                f"The text is not UTF-8 (byte {error.start}).",
                "Save the file with UTF-8 encoding.",
            )
    text = text.removeprefix("\ufeff")
    if _too_deep(text):
        return _refused(
            "json.too_deep",
            f"The JSON is nested deeper than {MAX_DEPTH}.",
            "Flatten the value, or move parts into their own document.",
        )
    scan = _Scan()
    try:
        value = json.loads(
            text,
            object_pairs_hook=scan.object,
            parse_constant=scan.constant,
            parse_int=scan.integer,
            parse_float=scan.real,
        )
    except json.JSONDecodeError as error:
        return _refused(
            "json.syntax",
            f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            "Correct the text there; a JSON-aware editor shows the place.",
        )
    problems = ProblemList()
    if scan.faulty:
        _collect_faults(value, "", problems)
    if _SURROGATE_ESCAPE.search(text) or not _is_unicode(text):
        _collect_surrogates(value, "", problems)
    problems.sort(key=lambda problem: problem.pointer)
    return ParsedJson(value=None if problems else value, problems=tuple(problems.told()))


def write_json(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """A value as strict JSON text; Blobs as their references.

    Raises ValueError for NaN and TypeError for what is no value. Compact without `indent`.

    >>> write_json({"a": [1, None]})
    '{"a":[1,null]}'
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        sort_keys=sort_keys,
        separators=separators,
        default=_write_blob,
    )


def pointer_of(*parts: str | int) -> str:
    """The JSON Pointer (RFC 6901) that names these steps.

    >>> pointer_of("nodes", 0, "a/b")
    '/nodes/0/a~1b'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _write_blob(value: Any) -> Any:
    if isinstance(value, Blob):
        return value.to_json()
    msg = f"{type(value).__name__} is not JSON"
    raise TypeError(msg)


def _refused(code: str, message: str, remedy: str) -> ParsedJson:
    return ParsedJson(value=None, problems=(Problem(code=code, pointer="", message=message, remedy=remedy),))


def _too_deep(text: str) -> bool:
    # Counted before parsing: the scanner itself would end in a RecursionError, or in a dead process.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = _NO_BRACKETS.sub("", text)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _collect_faults(value: Any, pointer: str, problems: list[Problem]) -> None:
    if isinstance(value, _Fault):
        pointer = pointer.encode(errors="backslashreplace").decode()  # a key may be half a surrogate pair
        problems.append(Problem(code=value.code, pointer=pointer, message=value.message, remedy=value.remedy))
        value = value.value
    if isinstance(value, dict):
        for key, item in value.items():
            _collect_faults(item, pointer + pointer_of(key), problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_faults(item, f"{pointer}/{index}", problems)


def _collect_surrogates(value: Any, pointer: str, problems: list[Problem]) -> None:
    if isinstance(value, str):
        if not _is_unicode(value):
            problems.append(
                Problem(
                    code="json.surrogate",
                    pointer=pointer,
                    message="The string holds half of a surrogate pair, which is no Unicode text.",
                    remedy="Write both halves, or the character itself.",
                )
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _is_unicode(key):
                _collect_surrogates(key, pointer, problems)
                continue  # a pointer through that key could not be written
            _collect_surrogates(item, pointer + pointer_of(key), problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_surrogates(item, f"{pointer}/{index}", problems)
