"""Reads the fields of a JSON object by name and type, and collects every problem on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.values.frozen import FrozenDict, freeze
from flowcore.values.strict_json import pointer_of

__all__ = ["REQUIRED", "ObjectReader", "did_you_mean", "kind_of", "show"]


class _Required:
    """The default of a field that must be there."""


REQUIRED: Final = _Required()

# Bounds of looking for near names, so that made-up documents cannot keep a process busy.
_MOST_HINTS = 50
_LONGEST_COMPARED = 64
_MOST_COMPARED = 1000

_LONGEST_SHOWN = 40
_NUMBERS: Final = frozenset({int, float})
_EMPTY: Final = FrozenDict()
_NOTHING: Final[frozenset[str]] = frozenset()


def did_you_mean(word: str, choices: Iterable[str], problems: Sequence[Problem] = ()) -> str:
    """A sentence that names the nearest choices, `""` when none is near.

    None is looked for when a document has 50 `problems` already, or for words over 64 characters; of more than
    1,000 choices those with the nearest lengths are compared.

    >>> did_you_mean("http.requst", ["http.request", "debug.log"])
    "Did you mean 'http.request'?"
    """
    if len(problems) >= _MOST_HINTS or len(word) > _LONGEST_COMPARED:
        return ""
    import difflib  # dear, and needed only when something is wrong

    nearest = sorted(set(choices), key=lambda name: (abs(len(name) - len(word)), name))
    names = [name for name in nearest[:_MOST_COMPARED] if len(name) <= _LONGEST_COMPARED]
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if not near:
        near = [name for name in names if name.lower() == word.lower() or name.rpartition(".")[2] == word][:2]
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""


def kind_of(value: Any) -> str:
    """The JSON name of a value's type: null, a boolean, a number, a string, an array or an object."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def show(value: Any) -> str:
    """A value as messages name it: scalars as they stand in JSON, long texts cut, all else by its kind.

    >>> show("GET"), show(True), show([1])
    ("'GET'", 'true', 'an array')
    """
    match value:
        case str():
            return repr(value if len(value) <= _LONGEST_SHOWN else value[: _LONGEST_SHOWN - 1] + "…")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case _:
            return kind_of(value)


class ObjectReader:
    """One JSON object being read; a field that is asked for counts as known, `finish` reports the others.

    `known` are the names of all fields, for a reader that asks only for those that are there.
    """

    __slots__ = ("_asked", "_fields", "_known", "pointer", "problems", "readable", "what")

    def __init__(
        self,
        value: Any,
        pointer: str,
        problems: list[Problem],
        *,
        what: str,
        known: AbstractSet[str] = _NOTHING,
    ) -> None:
        self.pointer = pointer
        self.problems = problems
        self.what = what
        self._known = known
        self._asked: list[str] = []
        #: Whether there is an object at all.
        self.readable = isinstance(value, dict)
        self._fields: dict[str, Any] = value if self.readable else {}
        if not self.readable:
            self.problem("", f"{what} must be an object, not {kind_of(value)}.", "Write {…} here.")

    def problem(self, name: str, message: str, remedy: str, code: str = "document.type") -> None:
        """Record something wrong with the field of that name, or with the object itself for `""`."""
        pointer = self.pointer + pointer_of(name) if name else self.pointer
        self.problems.append(Problem(code=code, pointer=pointer, message=message, remedy=remedy))

    def has(self, name: str) -> bool:
        """Whether the field stands there, be it null."""
        return name in self._fields

    def read(self, readers: Mapping[str, Callable[[ObjectReader], Any]]) -> dict[str, Any]:
        """What the readers make of those of their fields that stand there."""
        return {name: readers[name](self) for name in self._fields if name in readers}

    def any(self, name: str, default: Any = None) -> Any:
        """The field's value as it is."""
        self._asked.append(name)
        return self._fields.get(name, default)

    def text(self, name: str, default: Any = REQUIRED, *, empty: bool = True) -> Any:
        """A string."""
        value = self._fields.get(name)
        if isinstance(value, str):
            self._asked.append(name)
            if empty or value.strip():
                return value
            self.problem(name, f"{name!r} must not be empty.", "Give it a text.", code="document.empty")
            return None if default is REQUIRED else default
        return self._otherwise(name, default, "a string")

    def flag(self, name: str, default: Any = REQUIRED) -> Any:
        """Either true or false."""
        value = self._fields.get(name)
        if isinstance(value, bool):
            self._asked.append(name)
            return value
        return self._otherwise(name, default, "true or false")

    def integer(self, name: str, default: Any = REQUIRED, *, minimum: int | None = None) -> Any:
        """A whole number, at least `minimum`."""
        value = self._fields.get(name)
        if type(value) is int and (minimum is None or value >= minimum):
            self._asked.append(name)
            return value
        words = "a whole number" if minimum is None else f"a whole number of at least {minimum}"
        return self._otherwise(name, default, words)

    def number(
        self,
        name: str,
        default: Any = REQUIRED,
        *,
        minimum: float | None = 0,
        maximum: float | None = None,
    ) -> Any:
        """A number within the bounds."""
        value: Any = self._fields.get(name)
        if type(value) in _NUMBERS and (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
            self._asked.append(name)
            return value
        words = "a number"
        if minimum is not None:
            words = f"a number of at least {minimum:g}"
            if maximum is not None:
                words = f"a number from {minimum:g} to {maximum:g}"
        return self._otherwise(name, default, words)

    def choice(self, name: str, choices: Iterable[str], default: Any = REQUIRED) -> Any:
        """One of the given strings."""
        options = tuple(choices)
        listed = ", ".join(map(repr, options))
        value = self.any(name, default)
        if value is REQUIRED:
            return self._missing(name, f"one of {listed}")
        if value is default or value in options:
            return value
        hint = did_you_mean(value, options, self.problems) if isinstance(value, str) else ""
        self.problem(name, f"{name!r} must be one of {listed}, not {show(value)}.", hint or "Choose one of them.")
        return None if default is REQUIRED else default

    def object(self, name: str, default: Any = REQUIRED) -> Any:
        """An object of any content, frozen."""
        value = self._fields.get(name)
        if isinstance(value, dict):
            self._asked.append(name)
            return freeze(value)
        return self._otherwise(name, default, "an object")

    def items(self, name: str, default: Any = REQUIRED) -> list[Any]:
        """An array as a list; empty when it is absent or no array."""
        value = self._fields.get(name)
        if isinstance(value, list):
            self._asked.append(name)
            return value
        self._otherwise(name, default, "an array")
        return []

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of strings, empty when absent."""
        items = self.items(name, None)
        good = all(isinstance(item, str) for item in items)
        if not good:
            self.problem(name, f"{name!r} must be an array of strings.", 'Write ["…"].')
        return tuple(items) if good else ()

    def finish(self, *, extensions: bool = True) -> FrozenDict:
        """Report unknown fields; the `x-…` fields are the result, kept untouched."""
        if self._known and self._fields.keys() <= self._known:
            return _EMPTY
        known = self._known or self._asked
        kept: dict[str, Any] = {}
        for name, value in self._fields.items():
            if name in known:
                continue
            if extensions and name.startswith("x-"):
                kept[name] = freeze(value)
                continue
            self.problem(
                name,
                f"{self.what} has no field {show(name)}.",
                did_you_mean(name, known, self.problems) or f"Remove it; the fields are {', '.join(sorted(known))}.",
                code="document.unknown_field",
            )
        return FrozenDict(kept)

    def _otherwise(self, name: str, default: Any, words: str) -> Any:
        """What is read where no value of the right kind stands: the default, and a problem unless it may."""
        self._asked.append(name)
        if name not in self._fields:
            return default if default is not REQUIRED else self._missing(name, words)
        value = self._fields[name]
        if not (value is None and default is None):
            self.problem(name, f"{name!r} must be {words}, not {show(value)}.", f"Write {words} here.")
        return None if default is REQUIRED else default

    def _missing(self, name: str, words: str) -> None:
        if self.readable:
            self.problem(name, f"{self.what} needs the field {name!r}.", f"Add it: {words}.", code="document.required")
