"""Compiled JSON Schemas: validators made once a schema, and their errors as problems of a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
from flowcore.errors import Problem
from flowcore.schemas import X_EXPRESSION, X_STATIC, X_WORKFLOW, Schema, known_keys
from flowcore.values import Blob, did_you_mean, pointer_of

__all__ = ["CompiledSchema", "SchemaCache", "schema_fault"]

#: Keywords whose error says only that one of several ways failed: with an expression inside, nothing is known yet.
_COMBINING = frozenset({"AnyOf", "OneOfNotValid", "OneOfMultipleValid", "Not", "AllOf", "Contains"})
_MAX_MESSAGE = 200


def schema_fault(schema: Any) -> str | None:
    """Why something is no usable JSON Schema 2020-12, None when it is one. References must stay inside it."""
    try:
        jsonschema_rs.Draft202012Validator(_plain(schema), retriever=_refuse_reference)
    except (ValueError, TypeError) as error:
        return str(error).split("\n", 1)[0]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSchema:
    """A schema ready to validate, and which marks occur anywhere in it."""

    schema: Schema
    validator: jsonschema_rs.Draft202012Validator
    has_expressions: bool
    has_workflows: bool
    has_static: bool
    accepts_nothing_given: bool

    def problems(self, value: Any, pointer: str, what: str, dynamic: tuple[str, ...] = ()) -> Iterator[Problem]:
        """Everything wrong with a value. Errors at and around the `dynamic` pointers are left to run time."""
        for error in self.validator.iter_errors(value):
            place = pointer_of(*error.instance_path)
            kind = type(error.kind).__name__
            if any(_concerns(place, kind, place_of_expression) for place_of_expression in dynamic):
                continue
            unexpected = getattr(error.kind, "unexpected", None)
            if kind == "AdditionalProperties" and unexpected:
                yield from self._unexpected(unexpected, pointer + place, what, top=not place)
                continue
            yield Problem(
                code=f"{what}.schema",
                pointer=pointer + place,
                message=f"The {what} does not fit its schema: {_shorten(error.message)}.",
                remedy="Give a value that the schema allows; `flow nodes show TYPE` prints it.",
            )

    def _unexpected(self, names: list[str], pointer: str, what: str, *, top: bool) -> Iterator[Problem]:
        known = known_keys(self.schema) if top else ()
        for name in names:
            listed = f"The keys are {', '.join(sorted(known))}." if known else "Remove it."
            yield Problem(
                code=f"{what}.unknown_key",
                pointer=pointer + pointer_of(name),
                message=f"The {what} has no key {name!r}.",
                remedy=did_you_mean(name, known) or listed,
            )


class SchemaCache:
    """Compiled schemas by identity of the schema object, which is frozen and shared by all nodes of a type."""

    def __init__(self) -> None:
        self._compiled: dict[int, CompiledSchema] = {}

    def get(self, schema: Schema) -> CompiledSchema:
        """The compiled schema. Raises ValueError for what is no JSON Schema."""
        compiled = self._compiled.get(id(schema))
        if compiled is None or compiled.schema is not schema:
            text = repr(schema)
            plain = _plain(schema)
            validator = jsonschema_rs.Draft202012Validator(plain, retriever=_refuse_reference)
            compiled = CompiledSchema(
                schema=schema,
                validator=validator,
                has_expressions=X_EXPRESSION in text,
                has_workflows=X_WORKFLOW in text,
                has_static=X_STATIC in text,
                accepts_nothing_given=validator.is_valid({}) and "'default'" not in text,
            )
            self._compiled[id(schema)] = compiled
        return compiled


def _concerns(place: str, kind: str, expression: str) -> bool:
    if place == expression or place.startswith(expression + "/"):
        return True
    return kind in _COMBINING and (expression.startswith(place + "/") or not place)


def _shorten(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"


def _refuse_reference(uri: str) -> Any:
    msg = f"The schema refers to {uri!r}, outside of itself; copy that schema into its $defs"
    raise ValueError(msg)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.to_json() if isinstance(value, Blob) else value
