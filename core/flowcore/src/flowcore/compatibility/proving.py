"""Proves that every value of some schemas is one of others, or that no value is in all of them.

A proof about schemas that refer to themselves may use, for the parts of a value, what it is about to prove: values
are finite, so this is induction over their size. Hence a goal is only ever assumed for a strict part of a value;
`within` and `nothing_in` are called for such parts alone, everything at the same level goes by branches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from flowcore.compatibility.accepting import accepts
from flowcore.compatibility.branches import Arrays, Branch, Extra, Kind, Numbers, Objects, Strings, merge
from flowcore.compatibility.containers import array_clash, array_gap, object_clash, object_gap
from flowcore.compatibility.keywords import alternatives
from flowcore.compatibility.parts import Budget, Conjunction, Finding, Part, child
from flowcore.compatibility.reading import Reader
from flowcore.compatibility.sameness import same_keywords, same_schema
from flowcore.compatibility.scalars import number_clash, number_gap, string_clash, string_gap
from flowcore.values import show

__all__ = ["IMPOSSIBLE", "Prover"]

_MOST_NESTED: Final = 40
#: `not` inside `not` of the same value, each of which needs a proof inside a proof.
_MOST_ASIDES: Final = 4
_TOO_DEEP: Final = Finding(None, None, "it is nested too deeply to compare")
#: What is to be said of parts that have no type in common, or no value for many reasons.
IMPOSSIBLE: Final = "no value can be both"

_ARTICLES: Final[Mapping[Kind, str]] = {
    "null": "null",
    "boolean": "a boolean",
    "number": "a number",
    "string": "a string",
    "array": "an array",
    "object": "an object",
}

_Goal: TypeAlias = tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]] | None]
#: Extras whose meaning depends on all other keywords of the schema, or that stand for all of it.
_OF_WHOLE_SCHEMAS: Final = (
    "$loop",
    "$id",
    "$dynamicRef",
    "$recursiveRef",
    "unevaluatedProperties",
    "unevaluatedItems",
)


class Prover:
    """The proofs of one comparison. Raises NotASchema and OutOfSteps."""

    def __init__(self) -> None:
        self.budget = Budget()
        self._reader = Reader(self.budget)
        self._depth = 0
        self._asides = 0
        #: Goals that are proved or, while they are, assumed, in this order.
        self._proved: dict[_Goal, Finding | None] = {}
        self._unproved: dict[_Goal, Finding | None] = {}

    def within(self, source: Conjunction, target: Conjunction) -> Finding | None:
        """None when every value of `source` is one of `target`, else what stands against it."""
        self.budget.spend()
        goal = (frozenset([part.key for part in source]), frozenset([part.key for part in target]))
        if goal in self._proved:
            return None
        if goal in self._unproved:
            return self._unproved[goal]
        if self._depth >= _MOST_NESTED:
            return _TOO_DEEP

        mark = len(self._proved)
        self._proved[goal] = None
        self._depth += 1
        gap: Finding | None = None
        branches = self._reader.all_of(source)
        for part in target:
            if part.schema is not True and (gap := self._all_within(branches, part)):
                break
        self._depth -= 1
        if gap is not None:
            self._forget(mark)
            gap = gap.within(source[0].pointer if source else None, target[0].pointer)
            self._unproved[goal] = gap
        return gap

    def nothing_in(self, parts: Conjunction) -> Finding | None:
        """Why no value is in all the parts; None when there may be one."""
        self.budget.spend()
        goal = (frozenset([part.key for part in parts]), None)
        if goal in self._proved:
            return self._proved[goal] or Finding(None, None, IMPOSSIBLE)
        if goal in self._unproved or self._depth >= _MOST_NESTED:
            return None

        mark = len(self._proved)
        self._proved[goal] = None
        self._depth += 1
        clashes: list[Finding] = []
        for branch in self._reader.all_of(parts):
            clash = self.branch_clash(branch)
            if clash is None:
                self._depth -= 1
                self._forget(mark)
                self._unproved[goal] = None
                return None
            clashes.append(clash)
        self._depth -= 1
        places = [next((part.pointer for part in parts if part.side == side), None) for side in ("source", "target")]
        clash = (clashes[0] if len(clashes) == 1 else Finding(None, None, IMPOSSIBLE)).within(*places)
        self._proved[goal] = clash
        return clash

    def kinds_of(self, part: Part) -> tuple[Kind, ...]:
        """The kinds of values that the schema may accept."""
        return tuple(dict.fromkeys(branch.kind for branch in self._reader.branches_of(part)))

    def accepts(self, part: Part, value: Any) -> bool | None:
        """Whether a schema accepts one value; None when that cannot be told."""
        return accepts(part, value, self.budget)

    def branch_clash(self, branch: Branch) -> Finding | None:
        """Why there is no value in a branch; None when there may be one."""
        self.budget.spend()
        if branch.values is not None:
            for value in branch.values.values():
                if not self._rejected(branch, value):
                    return None
            return Finding(None, None, "none of the values listed is accepted")
        clash: Finding | None = None
        match branch.limits:
            case Numbers() as numbers:
                clash = number_clash(numbers)
            case Strings() as strings:
                clash = string_clash(strings)
            case Arrays() as arrays:
                clash = array_clash(self, arrays)
            case Objects() as objects:
                clash = object_clash(self, objects)
            case None:
                pass
        if clash is None and any(self._excludes(extra, branch) for extra in branch.extras):
            clash = Finding(None, None, "`not` excludes all of it")
        return clash

    def _excludes(self, extra: Extra, branch: Branch) -> bool:
        if extra.keyword != "not":
            return False
        excluded = child(extra.owner, "not")
        return self._aside(lambda: self._gap(branch, excluded) is None)

    def _all_within(self, branches: tuple[Branch, ...], target: Part) -> Finding | None:
        for branch in branches:
            if gap := self._gap(branch, target):
                return gap
        return None

    def _gap(self, branch: Branch, target: Part) -> Finding | None:
        """What keeps the branch's values from being the target's."""
        self.budget.spend()
        schema, root = target.schema, target.root
        for part in branch.parts:
            if part.schema is schema and part.root is root:
                return None
        if branch.values is not None:
            return self._values_gap(branch, target)
        gaps = []
        for other in self._reader.branches_of(target):
            if other.kind == branch.kind:
                gap = self._branch_gap(branch, other)
                if gap is None:
                    return None
                gaps.append(gap)
        if self.branch_clash(branch):
            return None
        source = branch.parts[0].pointer if branch.parts else None
        if not gaps:
            return Finding(source, target.pointer, f"it can be {_ARTICLES[branch.kind]}")
        gap = gaps[0] if len(gaps) == 1 else Finding(None, None, "no single alternative takes all of it")
        return gap.within(source, target.pointer)

    def _values_gap(self, branch: Branch, target: Part) -> Finding | None:
        for value in (branch.values or {}).values():
            self.budget.spend()
            if not self.accepts(target, value) and not self._rejected(branch, value):
                source = branch.parts[0].pointer if branch.parts else None
                return Finding(source, target.pointer, f"it can be {show(value)}")
        return None

    def _branch_gap(self, branch: Branch, other: Branch) -> Finding | None:
        if other.values is not None:
            return Finding(None, None, "only the values listed are accepted")
        for extra in other.extras:
            if not self._satisfies(branch, extra):
                return Finding(None, extra.owner.pointer, f"`{extra.keyword}` may refuse it")
        match branch.limits, other.limits:
            case Numbers() as mine, Numbers() as theirs:
                return number_gap(mine, theirs)
            case Strings() as mine, Strings() as theirs:
                return string_gap(mine, theirs)
            case Arrays() as mine, Arrays() as theirs:
                return array_gap(self, mine, theirs)
            case Objects() as mine, Objects() as theirs:
                return object_gap(self, mine, theirs)
            case _:
                return None

    def _satisfies(self, branch: Branch, extra: Extra) -> bool:
        for own in branch.extras:
            if own.keyword == extra.keyword:
                if extra.keyword in _OF_WHOLE_SCHEMAS:
                    same = same_schema(own.owner, extra.owner)
                else:
                    keywords = ("if", "then", "else") if extra.keyword == "if" else (extra.keyword,)
                    same = same_keywords(own.owner, extra.owner, keywords)
                if same:
                    return True
        if extra.keyword == "not":
            return self._aside(lambda: self._disjoint(branch, child(extra.owner, "not")))
        if extra.keyword == "oneOf":
            return self._aside(lambda: self._in_one(branch, alternatives(extra.owner, "oneOf")))
        return False

    def _in_one(self, branch: Branch, schemas: Conjunction) -> bool:
        for schema in schemas:
            if self._gap(branch, schema) is None:
                return all(self._disjoint(branch, other) for other in schemas if other is not schema)
        return False

    def _disjoint(self, branch: Branch, part: Part) -> bool:
        for other in self._reader.branches_of(part):
            if other.kind == branch.kind:
                both = merge(branch, other)
                if both is not None and self.branch_clash(both) is None:
                    return False
        return True

    def _aside(self, proof: Callable[[], bool]) -> bool:
        """A proof about the same value inside another one; not tried when too many are open."""
        if self._asides >= _MOST_ASIDES:
            return False
        self._asides += 1
        try:
            return proof()
        finally:
            self._asides -= 1

    def _rejected(self, branch: Branch, value: Any) -> bool:
        return any(self.accepts(part, value) is False for part in branch.parts)

    def _forget(self, mark: int) -> None:
        """Drop what was proved since, which may rest on an assumption that has just failed."""
        while len(self._proved) > mark:
            self._proved.popitem()
