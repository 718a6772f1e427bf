"""Compiles what a single node holds: its expressions, its config against the schema, its fixed inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flowcore.errors import FatalNodeError, Problem
from flowcore.nodes import NodeType
from flowcore.schemas import X_EXPRESSION, X_STATIC, X_WORKFLOW, fields_marked, with_defaults
from flowcore.validation import Reference
from flowcore.values import Blob
from flowcore.workflows import WorkflowNode

from flowruntime.authoring import Expression
from flowruntime.expressions import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    STATIC_ROOTS,
    CompiledValue,
    Places,
    compile_value,
)
from flowruntime.plan.schemas import CompiledSchema, SchemaCache

__all__ = ["Draft", "draft_node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A node's own parts, compiled; how it is wired comes later."""

    node_type: NodeType
    config: CompiledValue
    #: The fields marked `x-static` alone, for `initialize`.
    static_fields: CompiledValue | None
    written_config: dict[str, Any]
    check_config: Callable[[dict[str, Any]], None] | None
    fixed: CompiledValue | None
    references: tuple[Reference, ...]


_NO_CONFIG = CompiledValue(resolve=lambda _roots: {}, roots=frozenset(), references=(), dynamic=())


def draft_node(
    node: WorkflowNode, node_type: NodeType, pointer: str, schemas: SchemaCache, problems: list[Problem]
) -> Draft:
    """Compile one node; `pointer` is its place in the document. Faults become problems."""
    schema = schemas.get(node_type.config_schema)
    if not node.config and schema.accepts_nothing_given:
        written: dict[str, Any] = {}
        config, static_fields = _NO_CONFIG, None
    else:
        written = with_defaults(node_type.config_schema, dict(node.config))
        config, static_fields = _compile_config(written, schema, f"{pointer}/config", problems)
        problems.extend(schema.problems(written, f"{pointer}/config", "config", config.dynamic))
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
        check_config=_checker(schema, node.id) if config.dynamic else None,
        fixed=fixed,
        references=(*config.references, *(fixed.references if fixed is not None else ())),
    )


def _compile_config(
    written: dict[str, Any], schema: CompiledSchema, pointer: str, problems: list[Problem]
) -> tuple[CompiledValue, CompiledValue | None]:
    bare = fields_marked(schema.schema, X_EXPRESSION, written) if schema.has_expressions else {}
    static = fields_marked(schema.schema, X_STATIC, written) if schema.has_static else {}
    workflows = fields_marked(schema.schema, X_WORKFLOW, written) if schema.has_workflows else {}
    places = Places(
        expressions={steps: None if mark == "data" else BARE_ROOTS for steps, mark in bare.items()},
        workflows=frozenset(workflows),
        static=frozenset(static),
    )
    config = compile_value(written, pointer=pointer, roots=CONFIG_ROOTS, problems=problems, places=places)
    if not static:
        return config, None
    names = {steps[0] for steps in static if steps}
    parts = {key: value for key, value in written.items() if key in names}
    return config, compile_value(parts, pointer=pointer, roots=STATIC_ROOTS, problems=[], places=places)


def _checker(schema: CompiledSchema, node_id: str) -> Callable[[dict[str, Any]], None]:
    def check(resolved: dict[str, Any]) -> None:
        for problem in schema.problems(_as_json(resolved), "", "config"):
            raise FatalNodeError(
                f"The config of node {node_id!r} as resolved is wrong at {problem.pointer or 'its top'}: "
                f"{problem.message}",
                code=problem.code,
                remedy=problem.remedy,
            )

    return check


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, Expression):
        return value.text
    return value.to_json() if isinstance(value, Blob) else value
