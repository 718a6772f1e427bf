"""Compiled JSON Schemas: validators made once a schema, and their errors as problems of a document."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs
from flowcore.errors import Problem
from flowcore.schemas import (
    X_CONSTANT,
    X_EXPRESSION,
    X_NO_SECRETS,
    X_STATIC,
    X_WORKFLOW,
    Schema,
    default_of,
    known_keys,
    with_defaults,
)
from flowcore.values import Blob, did_you_mean, pointer_of

from flowruntime.authoring import Body, Expression

__all__ = ["CompiledSchema", "SchemaCache"]

#: Keywords about the shape of an object or array: they hold whatever the expressions inside come to.
_SHAPE: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "dependentRequired",
        "maxItems",
        "maxProperties",
        "minItems",
        "minProperties",
        "propertyNames",
        "required",
        "type",
    }
)
_CONDITIONAL: Final = frozenset({"then", "else"})
_MAX_MESSAGE: Final = 200
#: Types of many packs, and the `inputs` of many workflows.
_KEPT_SCHEMAS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSchema:
    """A schema ready to validate, and which marks may occur in it."""

    schema: Schema
    validator: jsonschema_rs.Draft202012Validator
    has_expressions: bool
    has_workflows: bool
    has_static: bool
    has_constants: bool
    has_told: bool
    #: Whether a field may be an expression, a document or static.
    has_marks: bool
    #: Whether `{}` is valid and stays `{}` when defaults are filled.
    accepts_nothing_given: bool
    #: The defaults of its own properties; None when parts of these have some too.
    defaults: Mapping[str, Any] | None
    #: Where the values come from, as the end of messages: `, which comes by a.out → b.in`.
    origin: str = ""

    def filled(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the object with absent properties filled, as `with_defaults` does."""
        filled = dict(value)
        if self.defaults is None:
            with_inner: dict[str, Any] = with_defaults(self.schema, filled)
            return with_inner
        for name, default in self.defaults.items():
            if name not in filled:
                filled[name] = default
        return filled

    def problems(
        self,
        value: Any,
        pointer: str,
        what: str,
        *,
        whose: str = "",
        remedy: str = "Give a value that the schema allows.",
        dynamic: Sequence[str] = (),
        hide_values: bool = False,
    ) -> Iterator[Problem]:
        """Everything wrong with a value that stands at `pointer`.

        `what` it is (config, inputs) begins the codes; `whose` goes on in the messages. What depends on the expressions
        at the `dynamic` pointers is left to run time. `hide_values` keeps values out of the messages.
        """
        if self.is_valid(value):  # several times as quick as looking for errors
            return
        for error in self._errors(value, hide_values=hide_values):
            place = pointer_of(*error.instance_path)
            if dynamic and _may_change(error, place, dynamic):
                continue
            unexpected = getattr(error.kind, "unexpected", None)
            if unexpected:
                known = known_keys(_part(self.schema, error.schema_path[:-1]))
                for name in unexpected:
                    listed = f"The keys are {', '.join(sorted(known))}." if known else "Remove it."
                    yield Problem(
                        code=f"{what}.unknown_key",
                        pointer=pointer + place + pointer_of(name),
                        message=f"There is no key {name!r} in the {what}{whose}{_at(place)}{self.origin}.",
                        remedy=did_you_mean(name, known) or listed,
                    )
            else:
                yield Problem(
                    code=f"{what}.schema",
                    pointer=pointer + place,
                    message=f"{_message(error)}, in the {what}{whose}{_at(place)}{self.origin}.",
                    remedy=remedy,
                )

    def is_valid(self, value: Any) -> bool:
        """Whether nothing is wrong; False also for what only `problems` can look at, which may find nothing."""
        try:
            return self.validator.is_valid(value)
        except ValueError:  # as below
            return False

    def _errors(self, value: Any, *, hide_values: bool) -> Iterator[jsonschema_rs.ValidationError]:
        try:
            errors = self.validator.iter_errors(value)
        except ValueError:  # Blobs and compiled expressions, which are rare
            value = _as_json(value)
            errors = self.validator.iter_errors(value)
        if hide_values and next(errors, None) is not None:
            errors = _validator(self.schema, mask="a value").iter_errors(value)
        return errors


class SchemaCache:
    """Compiled schemas by identity of the schema object; the least used ones make room for new ones.

    A schema is frozen and shared by all nodes of a type, and its text is long to compare. A kept schema keeps its
    object alive, so that no other one can have its identity.
    """

    def __init__(self) -> None:
        self._compiled: OrderedDict[int, CompiledSchema] = OrderedDict()

    def get(self, schema: Schema) -> CompiledSchema:
        """The compiled schema. Raises ValueError for what is no JSON Schema 2020-12 by itself, with the reason."""
        key = id(schema)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(schema)
            if len(self._compiled) > _KEPT_SCHEMAS:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(key)
        return compiled


def _compile(schema: Schema) -> CompiledSchema:
    try:
        validator = _validator(schema)
    except jsonschema_rs.ValidationError as error:
        raise ValueError(f"{_message(error)}{_at(pointer_of(*error.instance_path))}") from None
    text = repr(schema)  # a mark that stands elsewhere in it costs time only
    return CompiledSchema(
        schema=schema,
        validator=validator,
        has_expressions=X_EXPRESSION in text,
        has_workflows=X_WORKFLOW in text,
        has_static=X_STATIC in text,
        has_constants=X_CONSTANT in text,
        has_told=X_NO_SECRETS in text,
        has_marks=any(mark in text for mark in (X_EXPRESSION, X_WORKFLOW, X_STATIC)),
        accepts_nothing_given=validator.is_valid({}) and "'default'" not in text,
        defaults=_own_defaults(schema),
    )


def _own_defaults(schema: Schema) -> dict[str, Any] | None:
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    if any("'default'" in repr(part.get("properties")) for part in properties.values() if isinstance(part, Mapping)):
        return None
    found = {name: default_of(part) for name, part in properties.items()}
    return {name: default for name, (present, default) in found.items() if present}


def _validator(schema: Schema, *, mask: str | None = None) -> jsonschema_rs.Draft202012Validator:
    plain = _as_json(schema)
    if isinstance(plain, dict) and plain.get("additionalProperties") is False:
        plain.setdefault("properties", {})  # or the errors of unexpected keys would not name them
    # Patterns come with documents: the linear engine cannot be kept busy, and refuses what needs backtracking.
    return jsonschema_rs.Draft202012Validator(
        plain, retriever=_refuse_reference, pattern_options=jsonschema_rs.RegexOptions(), mask=mask
    )


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"a schema must not refer to another document ({uri})")


def _may_change(error: jsonschema_rs.ValidationError, place: str, dynamic: Sequence[str]) -> bool:
    """Whether the error may be another one, or none, once the expressions are resolved."""
    if not _CONDITIONAL.isdisjoint(error.schema_path):
        return True
    around = error.kind.name not in _SHAPE
    return any(expression == place or (around and expression.startswith(place + "/")) for expression in dynamic)


def _message(error: jsonschema_rs.ValidationError) -> str:
    message = error.message
    if alternatives := getattr(error.kind, "context", None):
        reasons = dict.fromkeys(errors[0].message for errors in alternatives if errors)
        message = f"no alternative fits: {'; '.join(reasons)}" if reasons else message
    if len(message) > _MAX_MESSAGE:  # the value, which comes first; the reason is at the end
        message = f"{message[: _MAX_MESSAGE // 2]}…{message[-_MAX_MESSAGE // 2 :]}"
    return message


def _at(place: str) -> str:
    return f" at {place!r}" if place else ""


def _part(schema: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def _as_json(value: Any) -> Any:
    """The value as the validator takes it."""
    match value:
        case Mapping():
            return {key: _as_json(item) for key, item in value.items()}
        case list():
            return [_as_json(item) for item in value]
        case Expression():
            return value.text
        case Blob():
            return value.to_json()
        case Body():
            return value.name or {"nodes": []}  # its document was checked where it is written
        case _:
            return value
