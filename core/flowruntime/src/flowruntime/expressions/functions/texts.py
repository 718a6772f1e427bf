"""Functions over texts, and from text to value."""

from __future__ import annotations

from typing import Final

from flowcore.values import Value, read_json

from flowruntime.authoring.functions import ExpressionFunction, FunctionError

__all__ = ["FUNCTIONS"]

#: A letter becomes three at most: `ΐ`.
_LONGEST_CHANGE: Final = 3
#: What from_json reads at most.
_MOST_JSON: Final = 1024 * 1024
#: New values that count as one step: a text of 1 MiB can be cut to pieces, or read, once in an evaluation.
_PIECES_PER_STEP: Final = 16
_PARTS_PER_STEP: Final = 12
#: What reading the shortest JSON text counts.
_STEPS_TO_READ: Final = 4


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _pieces(text: str, separator: str) -> int:
    return text.count(separator) + 1 if separator else len(text)


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        raise FunctionError("has nothing to look for: argument 2 is empty", "Give the text that is to be replaced.")
    return text.replace(old, new)


def _replaced_length(text: str, old: str, new: str) -> int:
    return len(text) + text.count(old) * max(len(new) - len(old), 0)


def _cased_length(text: str) -> int:
    return len(text) if text.isascii() else len(text) * _LONGEST_CHANGE


def _parts(text: str) -> int:
    """How many values there are in a JSON text at most."""
    return 1 + sum(map(text.count, "[{,"))


def _from_json(text: str) -> Value:
    parsed = read_json(text, max_bytes=_MOST_JSON)
    if parsed.problems:
        problem = parsed.problems[0]
        # The message of the problem may show what stands there.
        raise FunctionError(f"cannot read argument 1: it is no strict JSON [{problem.code}]", "Check what comes in.")
    return parsed.value


FUNCTIONS: Final = (
    ExpressionFunction(
        name="split",
        function=_split,
        arguments=(("string",), ("string",)),
        size=_pieces,
        steps=lambda text, separator: _pieces(text, separator) // _PIECES_PER_STEP,
        description="The parts of a text between separators; an empty separator gives its characters.",
    ),
    ExpressionFunction(
        name="replace",
        function=_replace,
        arguments=(("string",), ("string",), ("string",)),
        size=_replaced_length,
        description="The text with each occurrence of the second replaced by the third.",
    ),
    ExpressionFunction(
        name="trim",
        function=str.strip,
        arguments=(("string",),),
        description="The text without white space at its ends.",
    ),
    ExpressionFunction(
        name="lower",
        function=str.lower,
        arguments=(("string",),),
        size=_cased_length,
        description="The text in small letters.",
    ),
    ExpressionFunction(
        name="upper",
        function=str.upper,
        arguments=(("string",),),
        size=_cased_length,
        description="The text in capital letters.",
    ),
    ExpressionFunction(
        name="from_json",
        function=_from_json,
        arguments=(("string",),),
        size=_parts,
        steps=lambda text: _STEPS_TO_READ + _parts(text) // _PARTS_PER_STEP,
        description="The value that a text of strict JSON holds.",
    ),
)
