"""JSON Schemas of annotated types, and values on their way into such types and out again. Imports msgspec late."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from flowcore.errors import FatalNodeError
from flowcore.schemas import X_EXPRESSION
from flowcore.values import BLOB_KEY, Blob

from flowruntime.authoring.expressions import DataExpression, Expression
from flowruntime.authoring.signatures import split_annotated
from flowruntime.secrets import Secret

__all__ = ["object_schema", "schemas_of", "standalone_schema", "to_annotated", "to_value"]

_DEFINITIONS: Final = "#/$defs/"


def schemas_of(annotations: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The JSON Schema 2020-12 of each annotation, and the `$defs` that they refer to.

    Raises TypeError for a type that JSON has nothing for.
    """
    import msgspec

    try:
        schemas, definitions = msgspec.json.schema_components(
            [Any if annotation is object else annotation for annotation in annotations],
            schema_hook=_schema_of_ours,
            ref_template=_DEFINITIONS + "{name}",
        )
    except TypeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TypeError(f"No JSON Schema can be made: {reason}. Use types that JSON has.") from error
    return list(schemas), definitions


def standalone_schema(annotation: Any) -> Any:
    """The schema of one annotation, with all that it refers to inside; true for anything."""
    (schema,), definitions = schemas_of([annotation])
    name = schema.get("$ref", "").removeprefix(_DEFINITIONS)
    if name in definitions:
        # What is known of an object (properties, defaults, marks) is looked for at the top.
        schema = {**definitions[name], **{key: part for key, part in schema.items() if key != "$ref"}}
        if repr(_DEFINITIONS + name) not in repr(definitions):
            del definitions[name]
    if definitions:
        schema = {**schema, "$defs": definitions}
    return schema or True


def object_schema(config: type) -> dict[str, Any]:
    """The schema of a config class (msgspec.Struct, dataclass, TypedDict, pydantic model); closed unless it says."""
    if hasattr(config, "model_json_schema"):  # pydantic
        schema = dict(config.model_json_schema())
    else:
        schema = standalone_schema(config)
        if not isinstance(schema, dict) or "properties" not in schema:
            raise TypeError(f"The config class {config.__qualname__} has no fields.")
        _describe(schema["properties"], config)
    return schema if "additionalProperties" in schema else {**schema, "additionalProperties": False}


def to_annotated(value: Any, annotation: Any, name: str) -> Any:
    """A JSON value as an instance of the annotated type. Raises FatalNodeError when it does not fit."""
    import msgspec

    try:
        return msgspec.convert(value, annotation, dec_hook=_ours_from_json)
    except msgspec.ValidationError as error:
        with suppress(msgspec.ValidationError):
            return msgspec.convert(_with_integers(value), annotation, dec_hook=_ours_from_json)
        raise FatalNodeError(
            f"The value of {name!r} does not fit its declared type: {error}.",
            code="node.input_type",
            remedy="Give a value of that type, or widen the annotation.",
        ) from error


def _with_integers(value: Any) -> Any:
    """The value with integers for numbers such as 3.0: those are integers to JSON Schema, and none to msgspec.

    >>> _with_integers({"count": [3.0, 2.5]})
    {'count': [3, 2.5]}
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_integers(item) for key, item in value.items()}
    return value


def to_value(result: Any, name: str) -> Any:
    """An instance of an annotated type as a value: JSON with the Blobs that are in it.

    Raises FatalNodeError for what is none.
    """
    import msgspec

    blobs: dict[str, Blob] = {}

    def keep_blob(item: Any) -> Any:
        if isinstance(item, Blob):
            blobs[item.sha256] = item
            return item.to_json()
        raise TypeError(f"{type(item).__name__} is not JSON")

    try:
        return _settled(msgspec.to_builtins(result, str_keys=True, enc_hook=keep_blob), blobs)
    except (TypeError, ValueError) as error:
        raise FatalNodeError(
            f"The value of output port {name!r} cannot travel between nodes: {error}.",
            code="node.output_value",
            remedy="Return JSON, dataclasses or msgspec.Structs of JSON, or a Blob.",
        ) from error


def _settled(value: Any, blobs: Mapping[str, Blob]) -> Any:
    if isinstance(value, dict):
        if BLOB_KEY in value:
            return blobs[value[BLOB_KEY]["sha256"]]
        return {key: _settled(item, blobs) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_settled(item, blobs) for item in value]
    return value


def _describe(properties: dict[str, Any], config: type) -> None:
    """Put the texts of `Annotated[type, "what it is"]` into the schemas, which msgspec leaves out."""
    for name, hint in typing.get_type_hints(config, include_extras=True).items():
        text = split_annotated(hint)[1]
        if text and name in properties:
            properties[name] = {**properties[name], "description": text}


def _schema_of_ours(kind: Any) -> dict[str, Any]:
    if kind is Expression or kind is DataExpression:
        return {"type": "string", X_EXPRESSION: "data" if kind is DataExpression else True}
    if kind is Blob:
        return {"type": "object", "required": [BLOB_KEY], "properties": {BLOB_KEY: {"type": "object"}}}
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    if kind is object:
        return {"type": ["array", "boolean", "null", "number", "object", "string"]}  # {} would count as unknown
    raise NotImplementedError(kind)  # what msgspec expects of a hook that does not know a type


def _ours_from_json(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    return value  # msgspec says what is wrong when it is no instance
