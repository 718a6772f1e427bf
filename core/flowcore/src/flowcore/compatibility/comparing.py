"""Compares two schemas: whether the values of the one fit the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from flowcore.compatibility.branches import Kind
from flowcore.compatibility.describing import BLOB, describe
from flowcore.compatibility.fit import FITS, Answer, Fit
from flowcore.compatibility.parts import Finding, NotASchema, OutOfSteps, Part, resolve
from flowcore.compatibility.proving import IMPOSSIBLE, Prover
from flowcore.compatibility.remedies import ROUND, TAKE_BLOB, remedy_for, remedy_for_blob
from flowcore.compatibility.scalars import FRACTION
from flowcore.schemas import Schema
from flowcore.values import FrozenDict

__all__ = ["compare"]

#: Pairs of ports that are wired in many workflows.
_KEPT_PAIRS: Final = 4096
_UNKNOWN: Final = "It is checked when it arrives. Declare a simpler schema to have it checked before."


def compare(source: Schema, target: Schema) -> Fit:
    """Whether the values of `source` fit `target`, both JSON Schema 2020-12.

    `fits` and `cannot_fit` are proved; what is not proved within bounded work is `may_fit`, as is what is no schema.
    `format` and annotations are not looked at. References lead into their own schema only. Never raises.
    Answers for frozen schemas are kept.

    >>> compare({"type": "integer"}, {"type": "number"}).answer
    'fits'
    >>> fit = compare({"type": ["string", "null"]}, {"type": "string"})
    >>> fit.answer, fit.why
    ('may_fit', 'it can be null')
    >>> print(compare({"type": "string"}, {"type": "object"}).remedy)
    Put a transform.json_parse between, which reads JSON text.
    """
    if target is True or target == {}:
        return FITS
    if type(source) in _FROZEN and type(target) in _FROZEN:
        return _compare_kept(_Same(source), _Same(target))
    return _compare(source, target)


_FROZEN: Final = frozenset({bool, FrozenDict})


class _Same:
    """A schema as a key: the same object and no other, which the key keeps alive."""

    __slots__ = ("schema",)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


@lru_cache(maxsize=_KEPT_PAIRS)
def _compare_kept(source: _Same, target: _Same) -> Fit:
    return _compare(source.schema, target.schema)


def _compare(source: Any, target: Any) -> Fit:
    prover = Prover()
    mine, theirs = Part(source, source, "", "source"), Part(target, target, "", "target")
    try:
        gap = prover.within((mine,), (theirs,))
        if gap is None:
            return FITS
        clash = prover.nothing_in((mine, theirs))
        kinds = prover.kinds_of(mine), prover.kinds_of(theirs)
    except NotASchema as error:
        place = Finding(
            error.part.pointer if error.part.side == "source" else None,
            error.part.pointer if error.part.side == "target" else None,
            f"one of them is no JSON Schema, for {error.why}",
        )
        return _fit("may_fit", source, target, place, _UNKNOWN)
    except (OutOfSteps, RecursionError):
        return _fit("may_fit", source, target, Finding("", "", "they are too large to compare"), _UNKNOWN)
    if clash is None:
        return _may_fit(source, target, gap, remedy_for(*kinds, possible=True))
    return _cannot_fit(source, target, clash, kinds)


def _may_fit(source: Any, target: Any, gap: Finding, remedy: str) -> Fit:
    if describe(source) == "anything":
        gap = Finding("", "", "it can be anything")
    elif gap.why == FRACTION and not gap.source:
        remedy = ROUND
    return _fit("may_fit", source, target, gap, remedy)


def _cannot_fit(source: Any, target: Any, clash: Finding, kinds: tuple[Sequence[Kind], Sequence[Kind]]) -> Fit:
    if describe(source) == BLOB:
        remedy = remedy_for_blob(kinds[1])
    elif describe(target) == BLOB:
        remedy = TAKE_BLOB
    else:
        remedy = remedy_for(*kinds, possible=False)
    if clash.why == IMPOSSIBLE:
        mine, theirs = _line_at(source, clash.source), _line_at(target, clash.target)
        why = f"{mine} is never {theirs}" if theirs != "nothing" else "no value is accepted"
        clash = Finding(clash.source, clash.target, why)
    return _fit("cannot_fit", source, target, clash, remedy)


def _line_at(schema: Any, pointer: str | None) -> str:
    whole = Part(schema, schema, "", "source")
    found = resolve(whole, "#" + (pointer or "").replace("%", "%25"))
    return describe((found or whole).schema, schema)


def _fit(answer: Answer, source: Any, target: Any, finding: Finding, remedy: str) -> Fit:
    return Fit(
        answer=answer,
        source=describe(source),
        target=describe(target),
        source_pointer=finding.source or "",
        target_pointer=finding.target or "",
        why=finding.why,
        remedy=remedy,
    )
