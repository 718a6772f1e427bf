"""Compiles what a single node holds: its expressions, its config against the schema, its fixed inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from flowcore.errors import FatalNodeError, Problem
from flowcore.nodes import NodeType
from flowcore.schemas import X_EXPRESSION, X_STATIC, X_WORKFLOW, fields_marked, with_defaults
from flowcore.validation import Reference
from flowcore.workflows import WorkflowNode

from flowruntime.expressions import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    STATIC_ROOTS,
    CompiledValue,
    Places,
    Steps,
    compile_value,
)
from flowruntime.plan.schemas import CompiledSchema, SchemaCache

__all__ = ["Draft", "draft_node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A node's own parts, compiled; how it is wired comes later."""

    node_type: NodeType
    config: CompiledValue
    #: The fields marked `x-static` alone, for `initialize`; None when there are none.
    static_fields: CompiledValue | None
    #: The config as written with defaults.
    written_config: dict[str, Any]
    #: Checks a resolved config; None when no expression is in it.
    check_config: Callable[[dict[str, Any]], None] | None
    fixed: CompiledValue | None
    references: tuple[Reference, ...]


_NO_CONFIG = CompiledValue(resolve=lambda _roots: {}, roots=frozenset(), references=(), dynamic=())


def draft_node(
    node: WorkflowNode, node_type: NodeType, pointer: str, schemas: SchemaCache, problems: list[Problem]
) -> Draft | None:
    """Compile one node; `pointer` is its place in the document. Faults become problems.

    None when the config schema of the type is none.
    """
    try:
        schema = schemas.get(node_type.config_schema)
    except ValueError as error:
        problems.append(_broken_type(node, node_type, pointer, str(error)))
        return None
    written: dict[str, Any] = {}
    config, static_fields = _NO_CONFIG, None
    if node.config or not schema.accepts_nothing_given:
        written = with_defaults(node_type.config_schema, dict(node.config))
        config, static_fields = _compile_config(written, schema, f"{pointer}/config", problems)
        problems.extend(
            schema.problems(
                written,
                f"{pointer}/config",
                "config",
                whose=f" of node {node.id!r} ({node_type.id})",
                remedy=f"Give a value that the schema allows; `flow nodes show {node_type.id}` prints it.",
                dynamic=config.dynamic,
            )
        )
    fixed = None
    if node.inputs:
        fixed = compile_value(
            dict(node.inputs), pointer=f"{pointer}/inputs", roots=FIXED_INPUT_ROOTS, problems=problems
        )
    return Draft(
        node_type=node_type,
        config=config,
        static_fields=static_fields,
        written_config=written,
        check_config=_checker(schema, config, node, node_type) if config.dynamic else None,
        fixed=fixed,
        references=config.references if fixed is None else (*config.references, *fixed.references),
    )


def _compile_config(
    written: dict[str, Any], schema: CompiledSchema, pointer: str, problems: list[Problem]
) -> tuple[CompiledValue, CompiledValue | None]:
    bare = fields_marked(schema.schema, X_EXPRESSION, written) if schema.has_expressions else {}
    static = fields_marked(schema.schema, X_STATIC, written) if schema.has_static else {}
    workflows = fields_marked(schema.schema, X_WORKFLOW, written) if schema.has_workflows else {}
    places = Places(
        expressions={steps: None if mark == "data" else BARE_ROOTS for steps, mark in bare.items()},
        workflows=workflows,
        static=static,
    )
    config = compile_value(written, pointer=pointer, roots=CONFIG_ROOTS, problems=problems, places=places)
    if not static:
        return config, None
    # Its faults have been told with those of the whole config.
    fields = compile_value(_only(written, static, ()), pointer=pointer, roots=STATIC_ROOTS, problems=[], places=places)
    return config, fields


def _only(value: Any, wanted: Collection[Steps], steps: Steps) -> Any:
    """The object with what leads to the wanted places and nothing else; arrays keep their length."""
    if steps in wanted:
        return value
    leading = {place[len(steps)] for place in wanted if place[: len(steps)] == steps}
    if isinstance(value, dict):
        return {key: _only(item, wanted, (*steps, key)) for key, item in value.items() if key in leading}
    if isinstance(value, list):
        return [_only(item, wanted, (*steps, index)) for index, item in enumerate(value)]
    return None


def _checker(
    schema: CompiledSchema, config: CompiledValue, node: WorkflowNode, node_type: NodeType
) -> Callable[[dict[str, Any]], None]:
    def check(resolved: dict[str, Any]) -> None:
        for problem in schema.problems(
            resolved,
            "",
            "config",
            whose=f" of node {node.id!r} ({node_type.id}), as resolved",
            remedy=f"Correct what its expressions give; `flow nodes show {node_type.id}` prints the schema.",
            hide_values="secrets" in config.roots,
        ):
            raise FatalNodeError(problem.message, code=problem.code, remedy=problem.remedy)

    return check


def _broken_type(node: WorkflowNode, node_type: NodeType, pointer: str, reason: str) -> Problem:
    return Problem(
        code="node_type.schema",
        pointer=f"{pointer}/node_type",
        message=f"The type {node_type.id!r} of node {node.id!r} has a config schema that is none: {reason}.",
        remedy=f"Update the pack {node_type.namespace!r}, or report this to its authors.",
    )
