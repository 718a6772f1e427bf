"""The ports of a workflow that a node runs: those that its `inputs` and `outputs` declare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from flowcore.nodes import Port
from flowcore.schemas import ANY_SCHEMA, Schema
from flowcore.workflows import RESERVED_PORTS, Workflow

__all__ = ["DeclaredPorts", "WorkflowLookup", "no_workflows", "signature_inputs", "signature_outputs"]

#: The workflow of a name; None when there is none.
WorkflowLookup: TypeAlias = Callable[[str], Workflow | None]

#: The output port of a workflow that declares no `outputs`.
_OUTPUT: Final = "output"
_DEFINITIONS: Final = "$defs"


class DeclaredPorts(NamedTuple):
    """Ports by their names, and whether every other name is one too; `reserved` are names that no port can have."""

    ports: tuple[Port, ...]
    any_other: bool
    reserved: tuple[str, ...] = ()


_ANY: Final = DeclaredPorts(ports=(), any_other=True)


class _Declared(NamedTuple):
    inputs: Any
    outputs: Any
    is_workflow: bool


def no_workflows(name: str) -> Workflow | None:  # noqa: ARG001 - a WorkflowLookup
    """The lookup where there is no library: every name is unknown."""
    return None


def signature_inputs(value: Any, find: WorkflowLookup) -> DeclaredPorts:
    """The input ports of what stands in a config: a document, the name of one, or `{inputs, outputs}` schemas.

    What declares no inputs takes any, and so does what cannot be read or found: that is told elsewhere.

    >>> document = {"nodes": [], "inputs": {"properties": {"url": {}}, "required": ["url"]}}
    >>> [(port.name, port.required) for port in signature_inputs(document, no_workflows).ports]
    [('url', True)]
    """
    declared = _declared(value, find)
    return _ANY if declared is None else _of_schema(declared.inputs)


def signature_outputs(value: Any, find: WorkflowLookup) -> DeclaredPorts:
    """The output ports of what stands in a config: the keys of its `outputs`, one port `output` without.

    >>> [port.name for port in signature_outputs({"nodes": []}, no_workflows).ports]
    ['output']
    """
    declared = _declared(value, find)
    if declared is None:
        return _ANY
    if not declared.is_workflow:
        return _of_schema(declared.outputs)
    return _named(declared.outputs if isinstance(declared.outputs, Mapping) else (_OUTPUT,))


def _declared(value: Any, find: WorkflowLookup) -> _Declared | None:
    if isinstance(value, str):
        workflow = find(value)
        return None if workflow is None else _Declared(workflow.inputs, workflow.outputs, is_workflow=True)
    if isinstance(value, Mapping):
        if "nodes" in value:
            return _Declared(value.get("inputs"), value.get("outputs"), is_workflow=True)
        if "inputs" in value or "outputs" in value:
            return _Declared(value.get("inputs"), value.get("outputs"), is_workflow=False)
    return None


def _of_schema(schema: Any) -> DeclaredPorts:
    """The properties of an object's schema as ports; any name where the schema leaves others open on purpose."""
    if schema is False:
        return DeclaredPorts(ports=(), any_other=False)
    if not isinstance(schema, Mapping):
        return _ANY
    properties, required = schema.get("properties"), schema.get("required")
    schemas: Mapping[str, Schema] = properties if isinstance(properties, Mapping) else {}
    needed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    others = schema.get("additionalProperties", not schemas)  # unless it says so, a list of names is the whole list
    definitions = schema.get(_DEFINITIONS)
    return _named(
        [*schemas, *needed],
        any_other=others is not False or "patternProperties" in schema,
        required=frozenset(needed),
        schemas={name: _standalone(part, definitions) for name, part in schemas.items()},
    )


def _named(
    names: Iterable[str],
    *,
    any_other: bool = False,
    required: frozenset[str] = frozenset(),
    schemas: Mapping[str, Schema] | None = None,
) -> DeclaredPorts:
    known = schemas or {}
    ports = tuple(
        Port(name=name, schema=known.get(name, ANY_SCHEMA), required=name in required)
        for name in dict.fromkeys(names)
        if name not in RESERVED_PORTS
    )
    return DeclaredPorts(
        ports=ports,
        any_other=any_other,
        reserved=tuple(name for name in dict.fromkeys(names) if name in RESERVED_PORTS),
    )


def _standalone(schema: Any, definitions: Any) -> Schema:
    """The schema of a property by itself; any value where it refers to other places of the whole than definitions.

    What runs the workflow checks the whole, too.
    """
    if not isinstance(schema, Mapping):
        return schema is not False
    if _refers_beyond_definitions(schema):
        return ANY_SCHEMA
    return schema if definitions is None else {**schema, _DEFINITIONS: definitions}


def _refers_beyond_definitions(schema: Any) -> bool:
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            reference = part.get("$ref")
            if isinstance(reference, str) and not reference.startswith(f"#/{_DEFINITIONS}/"):
                return True
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return False
