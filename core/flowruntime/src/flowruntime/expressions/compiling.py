"""Compiles the expressions in JSON values once, so that an attempt only evaluates them.

A compiled value resolves against a mapping of roots (`{"input": …, "nodes": {id: {port: value}}, …}`) and rebuilds only
the objects and lists on the way to an expression; everything else is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flowcore.errors import FatalNodeError, Problem
from flowcore.validation import Reference
from flowcore.values import NotAValue, Value, check_value, pointer_of, thaw, write_json

from flowruntime.authoring.expressions import DataExpression, Expression
from flowruntime.expressions.analysis import Analysis, analyse, warnings_of
from flowruntime.expressions.evaluating import Search, search_of
from flowruntime.expressions.parsing import ExpressionError
from flowruntime.expressions.templates import OPEN, TemplateError, split_template

__all__ = [
    "BARE_ROOTS",
    "CONFIG_ROOTS",
    "FIXED_INPUT_ROOTS",
    "NO_PLACES",
    "OUTPUT_ROOTS",
    "STATIC_ROOTS",
    "CompiledValue",
    "Places",
    "Steps",
    "compile_expression",
    "compile_value",
    "has_expression",
]

CONFIG_ROOTS: Final = frozenset({"input", "inputs", "nodes", "run", "secrets", "vars"})
#: For config fields that are resolved once, for `initialize`.
STATIC_ROOTS: Final = frozenset({"secrets", "vars"})
FIXED_INPUT_ROOTS: Final = frozenset({"input", "nodes", "run", "vars"})
OUTPUT_ROOTS: Final = frozenset({"input", "nodes", "run", "vars"})
#: For config fields that hold a bare expression.
BARE_ROOTS: Final = frozenset({"input", "inputs", "run", "vars"})

_NO_ROOTS: Final[frozenset[str]] = frozenset()
#: Types in which no expression can stand.
_PLAIN: Final = frozenset({int, float, bool, type(None)})

#: The keys and indexes that lead to a part of a value.
Steps: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which parts of a value are not plain: bare expressions (with their roots), documents, static fields."""

    expressions: Mapping[Steps, Collection[str] | None] = field(default_factory=dict)
    #: What the node gets in place of each document: a Body, or what stands there when it is no document.
    workflows: Mapping[Steps, Any] = field(default_factory=dict)
    static: Collection[Steps] = frozenset()


NO_PLACES: Final = Places()


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: that would take twice as long to make
class CompiledValue:
    """A value ready to be resolved; never changed.

    `dynamic` are the pointers of its expressions, also faulty ones, relative to it.
    """

    resolve: Callable[[Mapping[str, Any]], Value]
    roots: frozenset[str]
    references: tuple[Reference, ...]
    dynamic: tuple[str, ...]


def compile_expression(text: str, roots: Collection[str] | None, where: str = "") -> Expression:
    """A bare expression ready to be called with its root: a DataExpression when `roots` is None.

    `where` is the pointer that errors name. Raises ExpressionError.

    >>> compile_expression("inputs.value > `5`", BARE_ROOTS)({"inputs": {"value": 6}})
    True
    """
    return _expression(text, analyse(text, roots), roots, where)


def _expression(text: str, analysis: Analysis, roots: Collection[str] | None, where: str) -> Expression:
    search = search_of(text, analysis, where)
    return DataExpression(text, search) if roots is None else Expression(text, search)


def compile_value(
    value: Value,
    *,
    pointer: str,
    roots: Collection[str],
    problems: list[Problem],
    places: Places | None = None,
    checked: bool = False,
) -> CompiledValue:
    """Compile all expressions of a value that stands at `pointer` of the document; faults become problems.

    `checked` is for an object whose members nobody else looks at: resolving it raises FatalNodeError when one nests
    too deep. Only members that can nest deeper than the values they are made of are looked at.

    The result is shared between attempts, which must not change what `resolve` gives.

    >>> compiled = compile_value({"to": "${{ vars.name }}!"}, pointer="", roots=CONFIG_ROOTS, problems=[])
    >>> compiled.resolve({"vars": {"name": "Ada"}})
    {'to': 'Ada!'}
    """
    if (places is None or places is NO_PLACES) and not has_expression(value):
        return CompiledValue(resolve=_Constant(thaw(value)), roots=_NO_ROOTS, references=(), dynamic=())
    compiler = _Compiler(pointer=pointer, roots=roots, problems=problems, places=places or NO_PLACES)
    compiled = compiler.compile(value, ())
    resolve = compiled.resolve if isinstance(compiled, _Moving) else _Constant(compiled)
    return CompiledValue(
        resolve=_checking(resolve, compiler.deepening, pointer) if checked and compiler.deepening else resolve,
        roots=frozenset(compiler.used),
        references=tuple(compiler.references),
        dynamic=tuple(compiler.dynamic),
    )


def has_expression(value: Any) -> bool:
    """Whether `${{` stands anywhere in a value."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    for item in value:
        kind = type(item)
        if kind is str:
            if OPEN in item:
                return True
        elif kind not in _PLAIN and has_expression(item):
            return True
    return False


class _Constant:
    """A value that does not depend on the roots; one object, of which a plan has one a node."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, _roots: Mapping[str, Any]) -> Value:
        return self.value


class _Moving:
    """A part of a value that depends on the roots."""

    __slots__ = ("resolve",)

    def __init__(self, resolve: Search) -> None:
        self.resolve = resolve


class _Compiler:
    def __init__(self, *, pointer: str, roots: Collection[str], problems: list[Problem], places: Places) -> None:
        self.pointer = pointer
        self.roots = roots
        self.problems = problems
        self.places = places
        self.used: set[str] = set()
        self.expressions = 0
        self.references: list[Reference] = []
        self.dynamic: list[str] = []
        #: The first steps to what may nest deeper than the values that it is made of.
        self.deepening: dict[str | int, None] = {}

    def compile(self, value: Any, steps: Steps) -> Any:
        """The plain value, or a _Moving when it holds expressions."""
        if steps in self.places.workflows:
            return self.places.workflows[steps]
        if steps in self.places.expressions:
            return self._bare(value, steps)
        if isinstance(value, str):
            return self._text(value, steps) if OPEN in value else value
        if isinstance(value, dict):
            parts = {key: self.compile(item, (*steps, key)) for key, item in value.items()}
            return _assemble(parts, parts.items())
        if isinstance(value, list):
            items = [self.compile(item, (*steps, index)) for index, item in enumerate(value)]
            return _assemble(items, enumerate(items))
        return value

    def _bare(self, value: Any, steps: Steps) -> Any:
        if not isinstance(value, str):
            return value  # the config schema says what is wrong with it
        roots = self.places.expressions[steps]
        try:
            analysis = analyse(value, roots)
        except ExpressionError as fault:
            self._problem(fault.code, steps, fault.message, fault.remedy)
            return value
        where = self.pointer + pointer_of(*steps)
        self.problems.extend(warnings_of(analysis, where))
        return _expression(value, analysis, roots, where)

    def _text(self, text: str, steps: Steps) -> Any:
        """The text itself when it holds no expression, or a faulty one."""
        resolve: Search | None = None
        try:
            parts = [
                part if isinstance(part, str) else self._expression(part.text, steps) for part in split_template(text)
            ]
        except TemplateError as error:
            self._problem("expression.syntax", steps, str(error), "Close it with '}}', or write '$${{' for the text.")
        except ExpressionError as fault:
            self._problem(fault.code, steps, fault.message, fault.remedy)
        else:
            only = parts[0] if len(parts) == 1 else None
            if isinstance(only, str):
                return only
            resolve = _joined(parts) if only is None else only
        self.dynamic.append(pointer_of(*steps))
        return text if resolve is None else _Moving(resolve)

    def _expression(self, text: str, steps: Steps) -> Search:
        static = any(steps[: len(place)] == place for place in self.places.static)
        try:
            analysis = analyse(text, STATIC_ROOTS if static else self.roots)
        except ExpressionError as fault:
            if static and fault.code == "expression.root":
                fault.remedy = "This field is resolved once, before anything runs: use vars or secrets."
            raise
        where = self.pointer + pointer_of(*steps)
        self.problems.extend(warnings_of(analysis, where))
        self.used |= analysis.roots
        self.references.extend(Reference(node, port, where) for node, port in analysis.references)
        self.expressions += 1
        if steps and (analysis.deepens or len(steps) > 1):
            self.deepening[steps[0]] = None
        return search_of(text, analysis, where, number=self.expressions)

    def _problem(self, code: str, steps: Steps, message: str, remedy: str) -> None:
        where = self.pointer + pointer_of(*steps)
        self.problems.append(Problem(code=code, pointer=where, message=message, remedy=remedy))


def _assemble(parts: Any, items: Iterable[tuple[Any, Any]]) -> Any:
    """An object or array of compiled parts; a _Moving when one of them is."""
    moving = [(key, part.resolve) for key, part in items if isinstance(part, _Moving)]
    if not moving:
        return parts

    def resolve(roots: Mapping[str, Any]) -> Value:
        made = parts.copy()
        for key, part in moving:
            made[key] = part(roots)
        return made

    return _Moving(resolve)


def _checking(resolve: Search, members: Iterable[str | int], pointer: str) -> Search:
    def checked(roots: Mapping[str, Any]) -> Value:
        made: Any = resolve(roots)
        for member in members:
            try:
                check_value(made[member])
            except NotAValue as error:
                raise FatalNodeError(
                    f"What the expressions in {pointer + pointer_of(member)} make cannot be used: {error}.",
                    code="expression.not_a_value",
                    remedy="Hand on a part of it, or as a text: to_string(VALUE).",
                ) from None
        return made

    return checked


def _joined(parts: list[str | Search]) -> Search:
    def resolve(roots: Mapping[str, Any]) -> str:
        return "".join([part if isinstance(part, str) else _as_text(part(roots)) for part in parts])

    return resolve


def _as_text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else write_json(value)
