"""Checks what a parsed expression may name: roots, references to nodes, functions.

A name can stand in three places: at the root of the expression, where it must be one of the roots; at the beginning of
a path inside a filter, after a pipe or behind a `&`, where it belongs to the data; or after a dot, where it is a field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from flowcore.errors import Problem
from flowcore.values import NotAValue, check_value, did_you_mean

from flowruntime.expressions.parsing import MAX_EXPRESSION_DEPTH, ExpressionError, parse, quoted

__all__ = ["Analysis", "analyse", "warnings_of"]

_NODES: Final = "nodes"
_SECRETS: Final = "secrets"

#: Parts and functions whose result may nest deeper than what goes into it.
_DEEPENING: Final = frozenset({"multi_select_dict", "multi_select_list", "to_array"})
#: What JMESPath takes for a name unless it stands in backticks.
_CONSTANTS: Final = frozenset({"false", "null", "true"})
#: Kinds of syntax whose path begins in their first child.
_PATHS: Final = frozenset(
    {
        "filter_projection",
        "flatten",
        "index_expression",
        "pipe",
        "projection",
        "subexpression",
        "value_projection",
    }
)
_LEAVES: Final = frozenset({"current", "field", "identity"})

#: A node of the tree that jmespath parses into: `{"type", "children", "value"}`.
_Tree: TypeAlias = Any
_Place: TypeAlias = Literal["root", "data", "field"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A parsed expression: its tree, the roots it names, the node ports it refers to."""

    tree: _Tree
    roots: frozenset[str]
    #: (node id, port), without repetition, in order.
    references: tuple[tuple[str, str], ...]
    #: The field names of a plain path such as `input.a.b`, None for anything else.
    path: tuple[str, ...] | None
    #: Whether the result may nest deeper than what goes into it.
    deepens: bool
    #: Those of `null`, `true` and `false` that stand where they are fields of the data.
    constants: frozenset[str]


def analyse(text: str, roots: Collection[str] | None) -> Analysis:
    """Parse and check an expression; `roots` are the names it may start with, None when the root is data.

    Raises ExpressionError.
    """
    tree = parse(text)
    deepens = _check_parts(tree)
    named: frozenset[str] = frozenset()
    references: tuple[tuple[str, str], ...] = ()
    if roots is not None:
        named, references = _check_names(tree, text, roots)
    return Analysis(
        tree=tree,
        roots=named,
        references=references,
        path=_plain_path(tree),
        deepens=deepens,
        constants=_constants(tree, "data" if roots is None else "root")
        if any(map(text.count, _CONSTANTS))
        else frozenset(),
    )


def _constants(tree: _Tree, place: _Place) -> frozenset[str]:
    heads = (head.leaf.get("value") for head in _heads(tree, place) if head.place == "data")
    return _CONSTANTS.intersection(heads)


def warnings_of(analysis: Analysis, pointer: str) -> Iterator[Problem]:
    """What is told of the expression at this place although it can be used."""
    for name in sorted(analysis.constants):
        yield Problem(
            severity="warning",
            code="expression.constant",
            pointer=pointer,
            message=f"{name!r} is the name of a field here, which is null where the data has none.",
            remedy=f"For the value write `{name}`, in backticks; for a field of that name @.{name}.",
        )


def _check_names(tree: _Tree, text: str, roots: Collection[str]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """The roots and the node ports that the expression names."""
    named: set[str] = set()
    references: dict[tuple[str, str], None] = {}
    for head in _heads(tree, "root"):
        name = head.leaf.get("value")
        if head.place == "data":
            if name == _NODES:
                raise _nodes_in_data()
            continue
        if name is None:
            raise ExpressionError(
                "The expression takes the whole scope.",
                code="expression.root",
                remedy=f"Start with one of {', '.join(sorted(roots))}.",
            )
        if name not in roots:
            raise _unknown_root(name, text, roots)
        named.add(name)
        if name == _NODES:
            references[_reference(head.steps)] = None
        elif name == _SECRETS and _field(head.steps) is None:
            raise ExpressionError(
                "'secrets' must be followed by the name of one secret.",
                code="expression.secrets",
                remedy="Write secrets.<name>.",
            )
    return frozenset(named), tuple(references)


def _check_parts(tree: _Tree) -> bool:
    """Depth, literals, functions, keys, slices and `&`, wherever they stand; gives whether the result nests deeper."""
    deepens = False
    waiting: list[tuple[_Tree, int, bool]] = [(tree, 1, False)]
    while waiting:
        part, depth, is_argument = waiting.pop()
        if depth > MAX_EXPRESSION_DEPTH:
            raise ExpressionError.too_deep()
        kind = part["type"]
        deepens = deepens or kind in _DEEPENING or (kind == "function_expression" and part["value"] in _DEEPENING)
        if kind == "function_expression":
            _check_function(part)
        elif kind == "literal":
            _check_made(part["value"], "A literal of the expression")
        elif kind == "key_val_pair":
            _check_made({part["value"]: None}, "An object that the expression makes")
        elif kind == "slice" and part["children"][2] == 0:
            raise ExpressionError(
                "The step of a slice is 0.",
                code="expression.syntax",
                remedy="Write 1 for each element, 2 for every second one, -1 for the reverse order.",
                column=part["column"],
            )
        elif kind == "expref" and not is_argument:
            raise ExpressionError(
                "'&' stands before an argument that is no function's.",
                code="expression.function",
                remedy="Use & for the arguments of map, sort_by, min_by and max_by only.",
            )
        elif kind == "subexpression" and part["children"][0]["type"] == "not_expression":
            raise ExpressionError(
                "'!' is read before the dot that follows, and a truth has no fields.",
                code="expression.syntax",
                remedy="Put the path into parentheses: !(a.b).",
            )
        inside = kind == "function_expression"
        waiting.extend((child, depth + 1, inside) for child in _children(part))
    return deepens


def _check_function(call: _Tree) -> None:
    from flowruntime.expressions.functions import check_call

    try:
        check_call(call["value"], call["children"])
    except ExpressionError as fault:
        fault.column = call.get("column")
        raise


def _check_made(value: Any, what: str) -> None:
    try:
        check_value(value)
    except NotAValue as error:
        raise ExpressionError(
            f"{what} cannot be used: {error}.", code="expression.literal", remedy=error.remedy
        ) from None


class _Head(NamedTuple):
    """Where a path begins: a field, or a whole value; `steps` follow a field after dots."""

    leaf: _Tree
    place: _Place
    steps: Sequence[_Tree] = ()


def _heads(part: _Tree, place: _Place) -> Iterator[_Head]:
    """The beginnings of all paths. Fields after a dot are none."""
    kind, children = part["type"], _children(part)
    if kind in _LEAVES:
        if place != "field":
            yield _Head(part, place)
        return
    if kind not in _PATHS:
        inner: _Place = "root" if place == "root" and kind != "expref" else "data"
        for child in children:
            yield from _heads(child, inner)
        return
    first, *rest = children
    if kind == "subexpression" and first["type"] in _LEAVES and place != "field":
        yield _Head(first, place, rest)
    else:
        yield from _heads(first, place)
    for index, child in enumerate(rest):
        # What a pipe hands on and what a filter asks start anew from the data.
        anew = kind == "pipe" or (kind == "filter_projection" and index == 1)
        yield from _heads(child, "data" if anew else "field")


def _children(part: _Tree) -> list[_Tree]:
    return [child for child in part["children"] if isinstance(child, dict)]  # a slice has numbers


def _reference(steps: Sequence[_Tree]) -> tuple[str, str]:
    """The node and port that the steps after `nodes` name."""
    if not steps or steps[0]["type"] != "field":
        raise ExpressionError(
            "'nodes' must be followed by a literal node id and a port.",
            code="expression.nodes",
            remedy="Write nodes.<id>.<port>; ids with other characters than letters, digits and _ in double quotes.",
        )
    node_id: str = steps[0]["value"]
    port = _field(steps[1:])
    if port is None:
        raise ExpressionError(
            f"The reference to node {node_id!r} names no port.",
            code="expression.nodes",
            remedy=f"Write nodes.{quoted(node_id)}.<port>.",
        )
    return node_id, port


def _field(steps: Sequence[_Tree]) -> str | None:
    """The field that the first of the steps begins with: `a` of `a`, `a[0]`, `a[*].b`; None for anything else."""
    if not steps:
        return None
    step = steps[0]
    while step["type"] in _PATHS:
        step = step["children"][0]
    return step["value"] if step["type"] == "field" else None


def _nodes_in_data() -> ExpressionError:
    return ExpressionError(
        "'nodes' stands where names belong to the data: inside a filter, after a pipe or behind a &.",
        code="expression.nodes",
        remedy="Let nodes.<id>.<port> begin the expression; for a field of the data with that name write @.nodes.",
    )


def _unknown_root(name: str, text: str, roots: Collection[str]) -> ExpressionError:
    if name == _SECRETS:
        remedy = "Secrets can be used in a node's config only."
    elif name == _NODES:
        remedy = "Connect that node to a port of this one and write inputs.<port>."
    elif name in _CONSTANTS:
        remedy = f"Write `{name}`, in backticks."
    else:
        remedy = did_you_mean(name, roots) or f"Start with one of {', '.join(sorted(roots))}."
        if f'"{name}"' in text:
            remedy = f"A text stands in single quotes: '{name}'. {remedy}"
    return ExpressionError(f"There is no {name!r} here.", code="expression.root", remedy=remedy)


def _plain_path(tree: _Tree) -> tuple[str, ...] | None:
    steps = tree["children"] if tree["type"] == "subexpression" else [tree]
    return tuple(step["value"] for step in steps) if all(step["type"] == "field" for step in steps) else None
