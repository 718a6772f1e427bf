"""Reads ports, config schema and calling convention off the signature of a node's function or class."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from flowcore.nodes import Port, Ports
from flowcore.schemas import X_EXPRESSION, Schema
from flowcore.values import Blob

from flowruntime.authoring.context import Context
from flowruntime.authoring.definitions import Definition
from flowruntime.authoring.expressions import DataExpression, Expression
from flowruntime.authoring.nodes import Node

__all__ = ["RESULT_PORT", "Derived", "Parameter", "Signature", "derive", "is_plain", "read_signature"]

#: The output port of a function whose return annotation names none.
RESULT_PORT = "result"

_PLAIN = frozenset({Any, object, str, int, float, bool, None, type(None), dict, list, Expression, DataExpression, Blob})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter that is an input port or a config field."""

    name: str
    annotation: Any
    description: str
    required: bool
    default: Any = inspect.Parameter.empty
    #: Whether the value is handed over as the JSON it is; otherwise it is converted to the annotated type.
    plain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a node function is called and what it gives."""

    inputs: tuple[Parameter, ...]
    config: tuple[Parameter, ...]
    #: The parameter that takes the Context, None when there is none.
    context: str | None
    #: Whether `**inputs` takes ports of any name.
    open_inputs: bool
    returns: Any
    #: The ports that the return annotation names; None for the one port `result`.
    output_fields: tuple[Port, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The parts of a node type that come from code."""

    inputs: Ports
    outputs: Ports
    config_schema: dict[str, Any]


def read_signature(function: Any) -> Signature:
    """The signature of a node function. Raises TypeError when it cannot be one, with the reason."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        msg = f"The annotations of {name} cannot be read: {error}. Import the name at the top of the module."
        raise TypeError(msg) from error
    inputs: list[Parameter] = []
    config: list[Parameter] = []
    context: str | None = None
    open_inputs = False
    for parameter in inspect.signature(function).parameters.values():
        annotation, description = _split_annotated(hints.get(parameter.name, Any))
        if annotation is Context:
            context = parameter.name
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_inputs = True
            continue
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            msg = f"Parameter {parameter.name!r} of {name} has no name that a port could have; make it a named one."
            raise TypeError(msg)
        read = Parameter(
            name=parameter.name,
            annotation=annotation,
            description=description,
            required=parameter.default is inspect.Parameter.empty,
            default=parameter.default,
            plain=is_plain(annotation),
        )
        (config if parameter.kind is inspect.Parameter.KEYWORD_ONLY else inputs).append(read)
    returns = _split_annotated(hints.get("return", Any))[0]
    return Signature(
        inputs=tuple(inputs),
        config=tuple(config),
        context=context,
        open_inputs=open_inputs,
        returns=returns,
        output_fields=_output_fields(returns),
    )


def is_plain(annotation: Any) -> bool:
    """Whether JSON values are instances of the annotated type as they are, without being converted.

    >>> is_plain(list[str] | None), is_plain(set[str])
    (True, False)
    """
    if get_origin(annotation) is Annotated:
        return is_plain(get_args(annotation)[0])
    try:
        if annotation in _PLAIN or typing.is_typeddict(annotation):
            return True
    except TypeError:  # an unhashable annotation
        return False
    origin = get_origin(annotation)
    if origin is typing.Literal:
        return True
    if origin in (dict, list, Mapping, typing.Union, types.UnionType):
        return all(is_plain(part) for part in get_args(annotation))
    return False


def derive(definition: Definition) -> Derived:
    """Ports and config schema of a definition. Imports msgspec. Raises TypeError with what cannot be derived."""
    target = definition.target
    if isinstance(target, type):
        missing = [
            side for side, ports in (("inputs", definition.inputs), ("outputs", definition.outputs)) if ports is None
        ]
        if missing and issubclass(target, Node):
            msg = f"The node class {target.__qualname__} must declare its {' and '.join(missing)} in @node(…)."
            raise TypeError(msg)
        config = _config_schema(definition, ())
        return Derived(inputs=definition.inputs or Ports(), outputs=definition.outputs or Ports(), config_schema=config)
    signature = read_signature(target)
    inputs, outputs = definition.inputs, definition.outputs
    if inputs is None:
        ports = tuple(
            Port(name=p.name, schema=_schema(p), description=p.description, required=p.required)
            for p in signature.inputs
        )
        inputs = Ports(ports=ports, rule="any" if signature.open_inputs else "fixed")
    if outputs is None:
        fields = signature.output_fields
        outputs = Ports(ports=_result_port(signature) if fields is None else fields)
    return Derived(inputs=inputs, outputs=outputs, config_schema=_config_schema(definition, signature.config))


def _split_annotated(annotation: Any) -> tuple[Any, str]:
    """An annotation without the texts in `Annotated[type, "what it is"]`, and the first such text."""
    if get_origin(annotation) is not Annotated:
        return annotation, ""
    inner, *extras = get_args(annotation)
    text = next((extra for extra in extras if isinstance(extra, str)), "")
    others = [extra for extra in extras if not isinstance(extra, str)]
    return (Annotated[(inner, *others)] if others else inner), text


def _output_fields(returns: Any) -> tuple[Port, ...] | None:
    if returns is None or returns is type(None):
        return ()
    if typing.is_typeddict(returns):
        required = returns.__required_keys__
    elif isinstance(returns, type) and (dataclasses.is_dataclass(returns) or hasattr(returns, "__struct_fields__")):
        required = frozenset()
    else:
        return None
    hints = typing.get_type_hints(returns, include_extras=True)
    ports = []
    for name, hint in hints.items():
        if get_origin(hint) is typing.ClassVar:
            continue
        annotation, description = _split_annotated(hint)
        if name not in required and get_origin(annotation) is typing.NotRequired:
            annotation, description = _split_annotated(get_args(annotation)[0])
        ports.append(Port(name=name, schema=_schema_of(annotation), description=description))
    return tuple(ports)


def _result_port(signature: Signature) -> tuple[Port, ...]:
    return (Port(name=RESULT_PORT, schema=_schema_of(signature.returns)),)


def _schema(parameter: Parameter) -> Schema:
    return _schema_of(parameter.annotation)


def _schema_of(annotation: Any) -> Any:
    """The JSON Schema 2020-12 of an annotation, self-contained; true for anything."""
    if annotation in (Any, object):
        return True
    if annotation is Blob:
        return {"type": "object", "required": ["$blob"], "properties": {"$blob": {"type": "object"}}}
    import msgspec

    schema: dict[str, Any]
    try:
        (schema,), definitions = msgspec.json.schema_components(
            [annotation], schema_hook=_schema_hook, ref_template="#/$defs/{name}"
        )
    except TypeError as error:
        msg = f"No JSON Schema can be made of {annotation!r}: {error} Use types that JSON has."
        raise TypeError(msg) from error
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    if reference in definitions and f'"#/$defs/{reference}"' not in repr(definitions).replace("'", '"'):
        schema = {
            **definitions.pop(reference),
            **{key: part for key, part in schema.items() if key != "$ref"},
        }
    if definitions:
        schema = {**schema, "$defs": definitions}
    return schema or True


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind in (Expression, DataExpression):
        return {"type": "string", X_EXPRESSION: "data" if kind is DataExpression else True}
    if kind is Blob:
        return {"type": "object", "required": ["$blob"], "properties": {"$blob": {"type": "object"}}}
    raise NotImplementedError(kind)  # what msgspec expects of a hook that does not know a type


def _config_schema(definition: Definition, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    config = definition.config
    if isinstance(config, Mapping):
        return dict(config)
    if config is not None:
        if hasattr(config, "model_json_schema"):  # pydantic
            return dict(config.model_json_schema())
        return {**dict(_schema_of(config)), "additionalProperties": False}
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for parameter in parameters:
        schema = _schema(parameter)
        part: dict[str, Any] = {} if schema is True else dict(schema)  # type: ignore[arg-type]
        definitions.update(part.pop("$defs", {}))
        if parameter.description:
            part["description"] = parameter.description
        if not parameter.required and _is_json(parameter.default):
            part["default"] = parameter.default
        properties[parameter.name] = part
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required := [parameter.name for parameter in parameters if parameter.required]:
        made["required"] = required
    if definitions:
        made["$defs"] = definitions
    return made


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
