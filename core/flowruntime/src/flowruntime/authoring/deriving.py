"""Derives ports and config schema of a node type from its code."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flowcore.errors import FatalNodeError
from flowcore.nodes import Port, Ports
from flowcore.values import check_value
from flowcore.workflows import RESERVED_PORTS

from flowruntime.authoring.annotated import object_schema, schemas_of, standalone_schema, to_annotated
from flowruntime.authoring.definitions import Definition
from flowruntime.authoring.signatures import Field, Signature, read_signature

__all__ = ["Derived", "derive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The parts of a node type that come from code."""

    inputs: Ports
    outputs: Ports
    config_schema: dict[str, Any]


def derive(definition: Definition) -> Derived:
    """Ports and config schema of a definition. Raises TypeError with what cannot be derived, and what to do."""
    name = definition.target.__qualname__
    try:
        made = _of_class(definition) if inspect.isclass(definition.target) else _of_function(definition)
    except TypeError as error:
        text = str(error)
        raise TypeError(text if text.startswith(name) else f"{name}: {text}") from error
    for side, ports in (("an input", made.inputs), ("an output", made.outputs)):
        names = [port.name for port in ports.ports]
        for port in dict.fromkeys(names):
            if port in RESERVED_PORTS:
                raise TypeError(f"{name}: {side} is called {port!r}, a port that every node has. Rename it.")
            if names.count(port) > 1:
                raise TypeError(f"{name}: {side} is called {port!r} twice. Rename one.")
    if definition.check_outputs:
        checked = tuple(replace(port, checked=True) for port in made.outputs.ports)
        made = replace(made, outputs=replace(made.outputs, ports=checked))
    return made


def _of_class(definition: Definition) -> Derived:
    inputs, outputs = definition.inputs, definition.outputs
    if inputs is None or outputs is None:
        sides = " and ".join(side for side, ports in (("inputs", inputs), ("outputs", outputs)) if ports is None)
        raise TypeError(f"a node class says its ports: give {sides} to @node(…), [] for none.")
    return Derived(inputs=inputs, outputs=outputs, config_schema=_config_schema(definition, ()))


def _of_function(definition: Definition) -> Derived:
    signature = read_signature(definition.target)
    inputs, outputs = definition.inputs, definition.outputs
    if inputs is None:
        ports = tuple(_port(field) for field in signature.inputs)
        inputs = Ports(ports=ports, rule="any" if signature.open_inputs else "fixed")
    else:
        _check_inputs(inputs, signature)
    if outputs is None:
        outputs = Ports(ports=tuple(_port(field) for field in signature.outputs))
    return Derived(inputs=inputs, outputs=outputs, config_schema=_config_schema(definition, signature.config))


def _port(field: Field) -> Port:
    return Port(
        name=field.name,
        schema=standalone_schema(field.annotation),
        description=field.description,
        required=field.required,
    )


def _check_inputs(inputs: Ports, signature: Signature) -> None:
    """Ports that `inputs` names and parameters must be the same: values are given by name."""
    parameters = {field.name: field for field in signature.inputs}
    ports = {port.name for port in inputs.ports}
    for name in ports - parameters.keys():
        if not signature.open_inputs:
            raise TypeError(f"there is no parameter for the input port {name!r}. Add one, or **inputs for any port.")
    if inputs.rule != "fixed" and not signature.open_inputs:
        raise TypeError(f"ports of the rule {inputs.rule!r} may have any name. Add **inputs to take them.")
    for name, field in parameters.items():
        if name not in ports and field.required and inputs.rule == "fixed":
            raise TypeError(f"no input port is given for the parameter {name!r}. Add it, or give it a default.")


def _config_schema(definition: Definition, parameters: Sequence[Field]) -> dict[str, Any]:
    config = definition.config
    if config is None:
        return _schema_of_parameters(parameters)
    if isinstance(config, Mapping):
        known = config.get("properties", {})
        for field in parameters:
            if field.name not in known:
                raise TypeError(f"the config schema has no property for the parameter {field.name!r}. Add one.")
        return dict(config)
    if parameters:
        names = ", ".join(repr(field.name) for field in parameters)
        raise TypeError(
            f"its config is a class, and the keyword-only parameters {names} are config too. "
            "Take the config from ctx.config, or leave out the class."
        )
    return object_schema(config)


def _schema_of_parameters(parameters: Sequence[Field]) -> dict[str, Any]:
    schemas, definitions = schemas_of([field.annotation for field in parameters]) if parameters else ([], {})
    properties: dict[str, Any] = {}
    for field, schema in zip(parameters, schemas, strict=True):
        part = properties[field.name] = dict(schema)
        if field.description:
            part["description"] = field.description
        if not field.required:
            part |= _default(field)
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required := [field.name for field in parameters if field.required]:
        made["required"] = required
    if definitions:
        made["$defs"] = definitions
    return made


def _default(field: Field) -> dict[str, Any]:
    """The default as the schema shows it; none when JSON has nothing for it, and the function's own holds."""
    import msgspec

    try:
        shown = msgspec.to_builtins(field.default, str_keys=True)
        check_value(shown)
    except (TypeError, ValueError):
        return {}
    try:
        to_annotated(shown, field.annotation, field.name)
    except FatalNodeError as error:
        raise TypeError(
            f"the default of the parameter {field.name!r} is not of its type: {error.__cause__}."
        ) from error
    return {"default": shown}
