"""Compiles what a single node holds: its expressions, its config against the schema, its fixed inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from flowcore.errors import FatalNodeError, Problem
from flowcore.nodes import NodeType
from flowcore.packs import LOCAL_NAMESPACE
from flowcore.schemas import ANY_SCHEMA, X_CONSTANT, X_EXPRESSION, X_NO_SECRETS, X_STATIC, X_WORKFLOW, fields_marked
from flowcore.validation import Reference
from flowcore.values import pointer_of, show
from flowcore.workflows import WorkflowNode

from flowruntime.authoring import Body
from flowruntime.expressions import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    NO_PLACES,
    STATIC_ROOTS,
    CompiledValue,
    Places,
    Steps,
    compile_value,
)
from flowruntime.plan.schemas import CompiledSchema, SchemaCache

__all__ = ["BodyMaker", "Draft", "broken_type", "compile_type", "draft_node"]


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: that would take three times as long to make
class Draft:
    """A node's own parts, compiled; how it is wired comes later. Never changed."""

    node_type: NodeType
    config: CompiledValue
    #: The fields marked `x-static` alone, for `initialize`; None when there are none.
    static_fields: CompiledValue | None
    #: The config as written, with defaults.
    written_config: dict[str, Any]
    #: Checks a resolved config; None when no expression is in it.
    check_config: Callable[[dict[str, Any]], None] | None
    fixed: CompiledValue | None
    references: tuple[Reference, ...]


_NO_CONFIG = CompiledValue(resolve=lambda _roots: {}, roots=frozenset(), references=(), dynamic=())


#: The document of a config field, from what stands there and its place; None for what is none, which becomes a problem.
BodyMaker: TypeAlias = Callable[[str | dict[str, Any], str, WorkflowNode], Body | None]


def compile_type(node_type: NodeType, schemas: SchemaCache) -> CompiledSchema | str:
    """The config schema of a type, or which of its schemas cannot be compiled and why: the `fault` of broken_type."""
    what = "a config schema"
    try:
        schema = schemas.get(node_type.config_schema)
        for port in node_type.inputs.ports:
            what = f"a schema of the input port {port.name!r}"
            if port.schema is not ANY_SCHEMA:
                schemas.get(port.schema)
        for port in node_type.outputs.ports:
            what = f"a schema of the output port {port.name!r}"
            if port.checked:
                schemas.get(port.schema)
    except ValueError as error:
        return f"{what} that is none: {error}"
    return schema


def draft_node(
    node: WorkflowNode,
    node_type: NodeType,
    schema: CompiledSchema,
    pointer: str,
    problems: list[Problem],
    *,
    make_body: BodyMaker,
) -> Draft:
    """Compile one node; `schema` is that of its config, `pointer` its place in the document. Faults become problems."""
    written: dict[str, Any] = {}
    config, static_fields, check_config = _NO_CONFIG, None, None
    if node.config or not schema.accepts_nothing_given:
        written = schema.filled(node.config)
        where = f"{pointer}/config"
        places = NO_PLACES
        if schema.has_marks:
            places = _places(written, schema, lambda value, place: make_body(value, where + pointer_of(*place), node))
        config = compile_value(written, pointer=where, roots=CONFIG_ROOTS, problems=problems, places=places)
        if schema.has_constants and config.dynamic:
            problems.extend(_no_expressions(written, schema, where, frozenset(config.dynamic)))
        if schema.has_told and "secrets" in config.roots:
            problems.extend(_no_secrets(written, schema, where, node))
        if places.static:
            # Its faults have been told with those of the whole config.
            only = _only(written, places.static, ())
            static_fields = compile_value(only, pointer=where, roots=STATIC_ROOTS, problems=[], places=places)
        faults: list[Problem] = []
        if not schema.is_valid(written):
            faults += schema.problems(
                written,
                where,
                "config",
                whose=f" of node {node.id!r} ({node_type.id})",
                remedy=f"Give a value that the schema allows; `flow nodes show {node_type.id}` prints it.",
                dynamic=config.dynamic,
            )
            problems.extend(faults)
        if places.workflows:
            problems.extend(_no_documents(places.workflows, where, {fault.pointer for fault in faults}))
        if config.dynamic:
            check_config = _checker(schema, config, tuple(places.workflows), node, node_type)
    fixed = None
    if node.inputs:
        fixed = compile_value(
            dict(node.inputs),
            pointer=f"{pointer}/inputs",
            roots=FIXED_INPUT_ROOTS,
            problems=problems,
            checked=True,
        )
    return Draft(
        node_type=node_type,
        config=config,
        static_fields=static_fields,
        written_config=written,
        check_config=check_config,
        fixed=fixed,
        references=config.references if fixed is None else (*config.references, *fixed.references),
    )


def _places(written: dict[str, Any], schema: CompiledSchema, make_body: Callable[[Any, Steps], Any]) -> Places:
    bare = fields_marked(schema.schema, X_EXPRESSION, written) if schema.has_expressions else {}
    static = fields_marked(schema.schema, X_STATIC, written) if schema.has_static else {}
    workflows: dict[Steps, Any] = {}
    if schema.has_workflows:
        for place in fields_marked(schema.schema, X_WORKFLOW, written):
            value = _at(written, place)
            workflows[place] = make_body(value, place) if isinstance(value, str | dict) else value
    return Places(
        expressions={steps: None if mark == "data" else BARE_ROOTS for steps, mark in bare.items()},
        workflows=workflows,
        static=static,
    )


def _at(value: Any, place: Steps) -> Any:
    for step in place:
        value = value[step]
    return value


def _no_documents(workflows: Mapping[Steps, Any], pointer: str, told: Collection[str]) -> Iterator[Problem]:
    """What stands in the place of a document and cannot be one; null is for the schema to allow or to refuse."""
    for place, value in workflows.items():
        where = pointer + pointer_of(*place)
        if value is not None and not isinstance(value, Body) and where not in told:
            yield Problem(
                code="workflow.form",
                pointer=where,
                message=f"Here must stand a workflow, not {show(value)}.",
                remedy='Write a document {"nodes": […]}, the name of a workflow, or {"file": PATH}.',
            )


def _no_expressions(
    written: dict[str, Any], schema: CompiledSchema, pointer: str, dynamic: Collection[str]
) -> Iterator[Problem]:
    """What has an expression and must not: fields marked `x-constant`, whose mark says what to write."""
    for steps, advice in fields_marked(schema.schema, X_CONSTANT, written).items():
        place = pointer_of(*steps)
        if place in dynamic:
            yield Problem(
                code="config.constant",
                pointer=pointer + place,
                message=f"{place[1:]!r} takes no expressions: values must not become part of it.",
                remedy=str(advice),
            )


def _no_secrets(written: dict[str, Any], schema: CompiledSchema, pointer: str, node: WorkflowNode) -> Iterator[Problem]:
    """What has a secret in it and must not: fields marked `x-no-secrets`."""
    for steps in fields_marked(schema.schema, X_NO_SECRETS, written):
        # Its faults have been told with those of the whole config.
        told = compile_value(_at(written, steps), pointer="", roots=CONFIG_ROOTS, problems=[])
        if "secrets" in told.roots:
            place = pointer_of(*steps)
            yield Problem(
                code="config.secret",
                pointer=pointer + place,
                message=f"{place[1:]!r} of node {node.id!r} takes no secrets: what stands there comes out of the node, "
                "and is kept with the execution.",
                remedy="Name the secret in the config of the node that needs it, such as `auth` of an http.request.",
            )


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
    schema: CompiledSchema, config: CompiledValue, workflows: Iterable[Steps], node: WorkflowNode, node_type: NodeType
) -> Callable[[dict[str, Any]], None]:
    # Documents were checked as they are written; for each attempt something empty stands for them.
    documents = tuple(pointer_of(*place) + "/" for place in workflows)

    def check(resolved: dict[str, Any]) -> None:
        for problem in schema.problems(
            resolved,
            "",
            "config",
            whose=f" of node {node.id!r} ({node_type.id}), as resolved",
            remedy=f"Correct what its expressions give; `flow nodes show {node_type.id}` prints the schema.",
            hide_values="secrets" in config.roots,
        ):
            if (problem.pointer + "/").startswith(documents):
                continue
            raise FatalNodeError(problem.message, code=problem.code, remedy=problem.remedy)

    return check


def broken_type(node: WorkflowNode, node_type: NodeType, pointer: str, fault: str) -> Problem:
    """The problem of a node whose type has a schema that is none."""
    own = node_type.namespace == LOCAL_NAMESPACE
    return Problem(
        code="node_type.schema",
        pointer=f"{pointer}/node_type",
        message=f"The type {node_type.id!r} of node {node.id!r} has {fault}.",
        remedy=f"Correct what {node_type.implementation} declares."
        if own
        else f"Update the pack {node_type.namespace!r}, or report this to its authors.",
    )
