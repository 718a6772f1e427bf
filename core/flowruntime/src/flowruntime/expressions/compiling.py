"""Compiles the expressions in JSON values once, so that an attempt only evaluates them.

A compiled value resolves against a mapping of roots (`{"input": …, "nodes": {id: {port: value}}, …}`) and rebuilds only
the objects and lists on the way to an expression; everything else is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flowcore.errors import FatalNodeError, Problem
from flowcore.validation import Reference
from flowcore.values import Value, thaw, write_json

from flowruntime.authoring.expressions import Expression
from flowruntime.expressions.analysis import Analysis, ExpressionError, analyse
from flowruntime.expressions.templates import OPEN, Piece, TemplateError, split_template

__all__ = [
    "BARE_ROOTS",
    "CONFIG_ROOTS",
    "FIXED_INPUT_ROOTS",
    "OUTPUT_ROOTS",
    "STATIC_ROOTS",
    "CompiledValue",
    "Places",
    "compile_expression",
    "compile_value",
]

CONFIG_ROOTS: Final = frozenset({"input", "inputs", "nodes", "run", "secrets", "vars"})
#: For config fields that are resolved once, for `initialize`.
STATIC_ROOTS: Final = frozenset({"secrets", "vars"})
FIXED_INPUT_ROOTS: Final = frozenset({"input", "nodes", "run", "vars"})
OUTPUT_ROOTS: Final = frozenset({"input", "nodes", "run", "vars"})
#: For config fields that hold a bare expression.
BARE_ROOTS: Final = frozenset({"input", "inputs", "run", "vars"})

Roots = Mapping[str, Any]
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which parts of a value are not plain: paths of bare expressions (with their roots), documents, static fields."""

    expressions: Mapping[Steps, Collection[str] | None] = field(default_factory=dict)
    workflows: frozenset[Steps] = frozenset()
    static: frozenset[Steps] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledValue:
    """A value ready to be resolved. `dynamic` are the pointers of its expressions, relative to the value."""

    resolve: Callable[[Roots], Value]
    roots: frozenset[str]
    references: tuple[Reference, ...]
    dynamic: tuple[str, ...]


_Dynamic: TypeAlias = Callable[[Any], Value]


def compile_expression(text: str, roots: Collection[str] | None) -> Expression:
    """A bare expression ready to be called with its root. Raises ExpressionError."""
    return Expression(text, _search(text, analyse(text, roots)))


def compile_value(
    value: Value,
    *,
    pointer: str,
    roots: Collection[str],
    problems: list[Problem],
    places: Places | None = None,
) -> CompiledValue:
    """Compile all expressions of a value that stands at `pointer` of the document; faults become problems.

    The result is shared between attempts, which must not change what `resolve` gives.
    """
    compiler = _Compiler(pointer=pointer, roots=roots, problems=problems, places=places or Places())
    compiled = compiler.compile(value, ())
    dynamic = compiled if isinstance(compiled, _Node) else None
    return CompiledValue(
        resolve=dynamic.resolve if dynamic is not None else (lambda _roots: compiled),
        roots=frozenset(compiler.used),
        references=tuple(compiler.references),
        dynamic=tuple(compiler.dynamic),
    )


class _Node:
    """A part of a value that depends on the roots."""

    __slots__ = ("resolve",)

    def __init__(self, resolve: _Dynamic) -> None:
        self.resolve = resolve


class _Compiler:
    def __init__(self, *, pointer: str, roots: Collection[str], problems: list[Problem], places: Places) -> None:
        self.pointer = pointer
        self.roots = roots
        self.problems = problems
        self.places = places
        self.used: set[str] = set()
        self.references: list[Reference] = []
        self.dynamic: list[str] = []

    def compile(self, value: Any, steps: Steps) -> Any:
        """The plain value, or a _Node when it holds expressions."""
        if steps in self.places.workflows:
            return thaw(value)
        if steps in self.places.expressions:
            return self._bare(value, steps)
        if isinstance(value, str):
            return self._text(value, steps) if OPEN in value else value
        if isinstance(value, dict):
            return self._object({key: self.compile(item, (*steps, key)) for key, item in value.items()})
        if isinstance(value, list):
            return self._list([self.compile(item, (*steps, index)) for index, item in enumerate(value)])
        return value

    @staticmethod
    def _object(items: dict[str, Any]) -> Any:
        moving = [(key, item.resolve) for key, item in items.items() if isinstance(item, _Node)]
        if not moving:
            return items

        def resolve(roots: Roots) -> Value:
            made = dict(items)
            for key, part in moving:
                made[key] = part(roots)
            return made

        return _Node(resolve)

    @staticmethod
    def _list(items: list[Any]) -> Any:
        moving = [(index, item.resolve) for index, item in enumerate(items) if isinstance(item, _Node)]
        if not moving:
            return items

        def resolve(roots: Roots) -> Value:
            made = list(items)
            for index, part in moving:
                made[index] = part(roots)
            return made

        return _Node(resolve)

    def _bare(self, value: Any, steps: Steps) -> Any:
        if not isinstance(value, str):
            return value  # the config schema says what is wrong with it
        try:
            return compile_expression(value, self.places.expressions[steps])
        except ExpressionError as fault:
            self._fault(fault, steps, 0)
            return value

    def _text(self, text: str, steps: Steps) -> Any:
        try:
            parts = split_template(text)
        except TemplateError as error:
            self._problem("expression.syntax", steps, str(error), "Close it with '}}', or write '$${{' for the text.")
            return text
        compiled: list[str | _Dynamic] = []
        for part in parts:
            if isinstance(part, Piece):
                piece = self._piece(part, steps)
                if piece is None:
                    return text
                compiled.append(piece)
            else:
                compiled.append(part)
        if all(isinstance(part, str) for part in compiled):
            return "".join(map(str, compiled))
        self.dynamic.append(_pointer(steps))
        if len(compiled) == 1:
            return _Node(compiled[0])  # type: ignore[arg-type]
        return _Node(_join(compiled))

    def _piece(self, piece: Piece, steps: Steps) -> _Dynamic | None:
        static = any(steps[: len(place)] == place for place in self.places.static)
        roots = STATIC_ROOTS if static else self.roots
        try:
            analysis = analyse(piece.text, roots)
        except ExpressionError as fault:
            if static and fault.code == "expression.root":
                fault.remedy = "This field is resolved once, before anything runs: use vars or secrets."
            self._fault(fault, steps, piece.column)
            return None
        self.used |= analysis.roots
        where = self.pointer + _pointer(steps)
        self.references.extend(Reference(node, port, where) for node, port in analysis.references)
        return _search(piece.text, analysis)

    def _fault(self, fault: ExpressionError, steps: Steps, column: int) -> None:
        at = f" (column {column + fault.column})" if fault.column is not None and column else ""
        self._problem(fault.code, steps, fault.message + at, fault.remedy)

    def _problem(self, code: str, steps: Steps, message: str, remedy: str) -> None:
        where = self.pointer + _pointer(steps)
        self.problems.append(Problem(code=code, pointer=where, message=message, remedy=remedy))


def _search(text: str, analysis: Analysis) -> Callable[[Any], Value]:
    if analysis.path is not None:
        path = analysis.path

        def follow(root: Any) -> Value:
            for name in path:
                if not isinstance(root, Mapping):
                    return None
                root = root.get(name)
            return root

        return follow
    search = analysis.parsed.search

    def evaluate(root: Any) -> Value:
        try:
            return search(root)
        except Exception as error:  # jmespath also lets bare ValueErrors and TypeErrors through
            reason = str(error) or type(error).__name__
            raise FatalNodeError(
                f"The expression {text!r} failed: {reason}.",
                code="expression.failed",
                remedy="Check the types of the values it uses.",
            ) from error

    return evaluate


def _join(parts: Sequence[str | _Dynamic]) -> _Dynamic:
    def resolve(roots: Roots) -> str:
        return "".join([part if isinstance(part, str) else _as_text(part(roots)) for part in parts])

    return resolve


def _as_text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else write_json(value)


def _pointer(steps: Steps) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
