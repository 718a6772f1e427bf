"""Parses one JMESPath expression and checks what it may name: roots, references to nodes, functions.

Only what is evaluated against the root of the expression is judged; inside filters and after pipes names belong to
the data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flowcore.values import did_you_mean

from flowruntime.expressions.templates import MAX_EXPRESSION_CHARS

__all__ = ["NODES", "Analysis", "ExpressionError", "analyse"]

NODES: Final = "nodes"

#: How many levels an expression may nest.
_MAX_DEPTH = 64
#: Kinds of syntax whose first child alone is evaluated against the same root.
_FIRST_ONLY = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "pipe",
    }
)
_DASHED_ID = re.compile(r"nodes\.([A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)+)")


class ExpressionError(ValueError):
    """Why an expression cannot be used: `code`, the message, `remedy`, and the column (from 0) when known."""

    def __init__(self, message: str, *, code: str, remedy: str, column: int | None = None) -> None:
        self.code = code
        self.message = message
        self.remedy = remedy
        self.column = column
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A parsed expression: jmespath's own object, the roots it names, the node ports it refers to."""

    parsed: Any
    roots: frozenset[str]
    #: (node id, port), without repetition, in order.
    references: tuple[tuple[str, str], ...]
    #: The field names of a plain path such as `input.a.b`, None for anything else.
    path: tuple[str, ...] | None


def analyse(text: str, roots: Collection[str] | None) -> Analysis:
    """Parse and check an expression; `roots` are the names it may start with, None when the root is data.

    Raises ExpressionError.
    """
    if not text:
        raise ExpressionError(
            "The expression is empty.", code="expression.syntax", remedy="Write a path or a function."
        )
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(
            f"The expression has {len(text)} characters, the limit is {MAX_EXPRESSION_CHARS}.",
            code="expression.too_long",
            remedy="Split it over several transform.set nodes.",
        )
    parsed = _parse(text)
    tree = parsed.parsed
    if _depth(tree) > _MAX_DEPTH:
        raise _too_deep()
    _check_functions(tree)
    path = _plain_path(tree)
    if roots is None:
        return Analysis(parsed=parsed, roots=frozenset(), references=(), path=path)
    named: set[str] = set()
    references: dict[tuple[str, str], None] = {}
    for leaf, chain in _at_root(tree):
        if leaf["type"] in ("current", "identity"):
            raise ExpressionError(
                "The expression takes the whole scope.",
                code="expression.root",
                remedy=f"Start with one of {', '.join(sorted(roots))}.",
            )
        name = leaf["value"]
        if name not in roots:
            raise _unknown_root(name, text, roots)
        named.add(name)
        if name == NODES:
            references[_reference(chain)] = None
    return Analysis(parsed=parsed, roots=frozenset(named), references=tuple(references), path=path)


def _parse(text: str) -> Any:
    from jmespath.exceptions import JMESPathError
    from jmespath.parser import Parser

    try:
        return Parser().parse(text)
    except RecursionError:
        raise _too_deep() from None
    except (JMESPathError, ValueError) as error:
        column = getattr(error, "lex_position", None)
        column = column if isinstance(column, int) and 0 <= column <= len(text) else None
        at = "" if column is None else f" at column {column}"
        found = f" ({text[column]!r})" if column is not None and column < len(text) else ""
        raise ExpressionError(
            f"{text!r} is not JMESPath{at}{found}.",
            code="expression.syntax",
            remedy=_syntax_remedy(text, column),
            column=column,
        ) from None


def _syntax_remedy(text: str, column: int | None) -> str:
    if dashed := _DASHED_ID.search(text):
        return f'Quote the id: nodes."{dashed[1]}".…'
    rest = text[column:] if column is not None else ""
    if number := re.match(r"-?\d+(?:\.\d+)?", rest):
        return f"Write the number in backticks: `{number[0]}`."
    if rest[:1] in ("+", "-", "/", "%"):
        return "JMESPath has no arithmetic signs: write sum([a, b]) for numbers, join('', [a, b]) for texts."
    if rest.startswith("=") and not rest.startswith("=="):
        return "Compare with ==."
    if '"' in text:
        return "Texts stand in single quotes ('text'), names in double quotes."
    return "See https://jmespath.org for the syntax."


def _too_deep() -> ExpressionError:
    return ExpressionError(
        f"The expression is nested deeper than {_MAX_DEPTH}.",
        code="expression.too_deep",
        remedy="Split it over several transform.set nodes.",
    )


def _depth(tree: Any) -> int:
    deepest = 0
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))
    return deepest


def _check_functions(tree: Any) -> None:
    from jmespath.functions import Functions

    known = Functions.FUNCTION_TABLE
    stack = [tree]
    while stack:
        node = stack.pop()
        stack.extend(child for child in node["children"] if isinstance(child, dict))
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        if name not in known:
            raise ExpressionError(
                f"There is no function {name!r}.",
                code="expression.function",
                remedy=did_you_mean(name, known) or f"The functions are {', '.join(sorted(known))}.",
            )
        signature = known[name]["signature"]
        variadic = bool(signature) and signature[-1].get("variadic", False)
        if given < len(signature) or (given > len(signature) and not variadic):
            raise ExpressionError(
                f"The function {name!r} takes {len(signature)} argument(s), not {given}.",
                code="expression.function",
                remedy="See https://jmespath.org/specification.html#built-in-functions.",
            )


def _at_root(tree: Any) -> Iterator[tuple[Any, list[Any]]]:
    """The leaves evaluated against the root, each with the chain of steps that starts with it."""
    stack: list[tuple[Any, list[Any]]] = [(tree, [])]
    while stack:
        node, chain = stack.pop()
        kind, children = node["type"], node["children"]
        if kind in ("field", "current", "identity"):
            yield node, [node, *chain]
        elif kind == "subexpression":
            stack.append((children[0], [*children[1:], *chain]))
        elif kind in _FIRST_ONLY:
            # Only a further plain step continues the chain; a projection or a pipe ends it.
            rest = children[1:] if kind == "index_expression" else [node]
            stack.append((children[0], [*rest, *chain]))
        elif kind != "expref":
            stack.extend((child, []) for child in reversed(children) if isinstance(child, dict))


def _reference(chain: list[Any]) -> tuple[str, str]:
    """The node and port that a chain of steps beginning with `nodes` names."""
    if not chain[1:] or chain[1]["type"] != "field":
        raise ExpressionError(
            "'nodes' must be followed by a literal node id and a port.",
            code="expression.nodes",
            remedy="Write nodes.<id>.<port>; ids with other characters than letters, digits and _ in double quotes.",
        )
    node_id = chain[1]["value"]
    port = next(iter(chain[2:]), None)
    while port is not None and port["type"] in _FIRST_ONLY:
        port = port["children"][0]
    if port is None or port["type"] != "field":
        raise ExpressionError(
            f"The reference to node {node_id!r} names no port.",
            code="expression.nodes",
            remedy=f"Write nodes.{_quoted(node_id)}.<port>.",
        )
    return node_id, port["value"]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f'"{name}"'


def _unknown_root(name: str, text: str, roots: Collection[str]) -> ExpressionError:
    if name == "secrets":
        remedy = "Secrets can be used in a node's config only."
    elif name == NODES:
        remedy = "Connect that node to a port of this one and write inputs.<port>."
    else:
        remedy = did_you_mean(name, roots) or f"Start with one of {', '.join(sorted(roots))}."
        if name == text.strip('"') and '"' in text:
            remedy = f"A text stands in single quotes: '{name}'. {remedy}"
    return ExpressionError(f"There is no {name!r} here.", code="expression.root", remedy=remedy)


def _plain_path(tree: Any) -> tuple[str, ...] | None:
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] == "subexpression" and all(child["type"] == "field" for child in tree["children"]):
        return tuple(child["value"] for child in tree["children"])
    return None
