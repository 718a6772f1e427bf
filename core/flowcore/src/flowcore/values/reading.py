"""Reads the fields of a JSON object by name and type, and collects every problem instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.values.frozen import FrozenDict, freeze
from flowcore.values.strict_json import pointer_of

__all__ = ["REQUIRED", "ObjectReader", "did_you_mean", "kind_of"]


class _Required:
    """The default of a field that must be there."""


REQUIRED: Final = _Required()


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A sentence that names the nearest choices, `""` when none is near.

    >>> did_you_mean("http.requst", ["http.request", "debug.log"])
    "Did you mean 'http.request'?"
    """
    import difflib  # noqa: PLC0415 - dear, and needed only when something is wrong

    names = sorted(set(choices))
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


class ObjectReader:
    """One JSON object being read; a field that is asked for counts as known, `finish` reports the others."""

    def __init__(self, value: Any, pointer: str, problems: list[Problem], *, what: str) -> None:
        self.pointer = pointer
        self.problems = problems
        self.what = what
        self._known: list[str] = []
        if isinstance(value, dict):
            self._fields: dict[str, Any] = value
            self.readable = True
        else:
            self._fields = {}
            self.readable = False
            self.problem("", f"{what} must be an object, not {kind_of(value)}.", "Write {…} here.")

    def problem(self, name: str, message: str, remedy: str, code: str = "document.type") -> None:
        """Record something wrong with the field of that name, or with the object itself for `""`."""
        pointer = self.pointer + pointer_of(name) if name else self.pointer
        self.problems.append(Problem(code=code, pointer=pointer, message=message, remedy=remedy))

    def has(self, name: str) -> bool:
        """Whether the field stands there, be it null."""
        return name in self._fields

    def any(self, name: str, default: Any = None) -> Any:
        """The field's value as it is."""
        self._known.append(name)
        return self._fields.get(name, default)

    def text(self, name: str, default: Any = REQUIRED, *, empty: bool = True) -> Any:
        """A string."""
        return self._typed(name, default, str, "a string", lambda value: empty or value.strip() != "")

    def flag(self, name: str, default: Any = REQUIRED) -> Any:
        """true or false."""
        return self._typed(name, default, bool, "true or false")

    def integer(self, name: str, default: Any = REQUIRED, *, minimum: int | None = None) -> Any:
        """A whole number, at least `minimum`."""
        words = "a whole number" if minimum is None else f"a whole number of at least {minimum}"
        return self._typed(
            name, default, int, words, lambda v: not isinstance(v, bool) and (minimum is None or v >= minimum)
        )

    def number(self, name: str, default: Any = REQUIRED, *, minimum: float = 0, maximum: float | None = None) -> Any:
        """A number within the bounds."""
        words = f"a number of at least {minimum:g}" if maximum is None else f"a number from {minimum:g} to {maximum:g}"
        return self._typed(
            name,
            default,
            (int, float),
            words,
            lambda v: not isinstance(v, bool) and v >= minimum and (maximum is None or v <= maximum),
        )

    def choice(self, name: str, choices: Iterable[str], default: Any = REQUIRED) -> Any:
        """One of the given strings."""
        options = tuple(choices)
        value = self.any(name, default)
        if value is REQUIRED:
            return self._missing(name, "one of " + ", ".join(map(repr, options)))
        if value is default or value in options:
            return value
        listed = ", ".join(map(repr, options))
        hint = did_you_mean(value, options) if isinstance(value, str) else ""
        self.problem(name, f"{name!r} must be one of {listed}, not {_show(value)}.", hint or "Choose one of them.")
        return None if default is REQUIRED else default

    def object(self, name: str, default: Any = REQUIRED) -> Any:
        """An object of any content, frozen."""
        value = self._typed(name, default, dict, "an object")
        return freeze(value) if isinstance(value, dict) else value

    def items(self, name: str, default: Any = REQUIRED) -> list[Any]:
        """An array as a list; empty when it is absent or no array."""
        value = self._typed(name, default, list, "an array")
        return value if isinstance(value, list) else []

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of strings, empty when absent."""
        items = self.items(name, None)
        good = all(isinstance(item, str) for item in items)
        if not good:
            self.problem(name, f"{name!r} must be an array of strings.", "Write [\"…\"].")
        return tuple(items) if good else ()

    def finish(self, *, extensions: bool = True) -> FrozenDict:
        """Report unknown fields; the `x-…` fields are the result, kept untouched."""
        kept: dict[str, Any] = {}
        for name, value in self._fields.items():
            if name in self._known:
                continue
            if extensions and name.startswith("x-"):
                kept[name] = freeze(value)
                continue
            hint = did_you_mean(name, self._known)
            self.problem(
                name,
                f"{self.what} has no field {name!r}.",
                hint or f"Remove it; the fields are {', '.join(sorted(self._known))}.",
                code="document.unknown_field",
            )
        return FrozenDict(kept)

    def _typed(self, name: str, default: Any, kind: Any, words: str, good: Any = None) -> Any:
        value = self.any(name, default)
        if value is REQUIRED:
            return self._missing(name, words)
        if value is default and name not in self._fields:
            return value
        if value is None and default is None:
            return None
        if isinstance(value, kind) and (good is None or good(value)):
            return value
        if kind is str and isinstance(value, str):
            self.problem(name, f"{name!r} must not be empty.", "Give it a text.", code="document.empty")
        else:
            self.problem(name, f"{name!r} must be {words}, not {_show(value)}.", f"Write {words} here.")
        return None if default is REQUIRED else default

    def _missing(self, name: str, words: str) -> None:
        if self.readable:
            self.problem(
                name, f"{self.what} needs the field {name!r}.", f"Add it: {words}.", code="document.required"
            )


def _show(value: Any) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else repr(value[:37] + "…")
    return kind_of(value) if isinstance(value, dict | list) or value is None else repr(value)[:40]
