"""Whether a schema accepts one given value: yes, no, or not to be told without a validator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from flowcore.compatibility.equality import key_of
from flowcore.compatibility.keywords import (
    alternatives,
    kind_of_value,
    listed,
    mapping,
    number,
    size,
    texts,
    types_of,
    values_of,
)
from flowcore.compatibility.parts import Budget, NotASchema, Part, child, resolve

__all__ = ["accepts"]

#: None: it cannot be told.
Answer: TypeAlias = bool | None

_UNTOLD: Final = ("$dynamicRef", "$recursiveRef", "dependencies", "unevaluatedProperties", "unevaluatedItems")
#: Of schemas that lead to themselves, no more than this is looked at.
_MOST_NESTED: Final = 64


def accepts(part: Part, value: Any, budget: Budget, depth: int = 0) -> Answer:
    """Whether the schema accepts the value; None when that depends on patterns, fractions or unknown references."""
    budget.spend()
    schema = part.schema
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise NotASchema(part, "it is neither an object nor true or false")
    if depth > _MOST_NESTED or ("$id" in schema and schema is not part.root):
        return None
    return _all(_answers(part, value, budget, depth + 1))


def _answers(part: Part, value: Any, budget: Budget, depth: int) -> Iterable[Answer]:
    schema = part.schema
    types = types_of(part)
    kind = kind_of_value(value)
    if types is not None:
        whole = kind == "number" and value == int(value)
        yield kind in types or (whole and "integer" in types)
    if "enum" in schema or "const" in schema:
        yield key_of(value) in (values_of(part, budget) or {})
    match kind:
        case "number":
            yield from _number_answers(part, value)
        case "string":
            yield from _string_answers(part, value)
        case "array":
            yield from _array_answers(part, value, budget, depth)
        case "object":
            yield from _object_answers(part, value, budget, depth)
        case _:
            pass
    if "$ref" in schema:
        found = resolve(part, schema["$ref"])
        yield None if found is None else accepts(found, value, budget, depth)
    yield from _applied(part, value, budget, depth)
    if any(keyword in schema for keyword in _UNTOLD):
        yield None


def _number_answers(part: Part, value: float) -> Iterable[Answer]:
    low, high = number(part, "minimum"), number(part, "maximum")
    if low is not None:
        yield value >= low
    if high is not None:
        yield value <= high
    above, below = number(part, "exclusiveMinimum"), number(part, "exclusiveMaximum")
    if above is not None:
        yield value > above
    if below is not None:
        yield value < below
    multiple = number(part, "multipleOf")
    if multiple is not None:
        # Validators differ in how they divide fractions.
        yield value % multiple == 0 if isinstance(value, int) and isinstance(multiple, int) and multiple > 0 else None


def _string_answers(part: Part, value: str) -> Iterable[Answer]:
    shortest, longest = size(part, "minLength"), size(part, "maxLength")
    if shortest is not None:
        yield len(value) >= shortest
    if longest is not None:
        yield len(value) <= longest
    if "pattern" in part.schema:
        yield None


def _array_answers(part: Part, value: list[Any], budget: Budget, depth: int) -> Iterable[Answer]:
    schema = part.schema
    shortest, longest = size(part, "minItems"), size(part, "maxItems")
    if shortest is not None:
        yield len(value) >= shortest
    if longest is not None:
        yield len(value) <= longest
    if schema.get("uniqueItems") is True:
        budget.spend(len(value))
        yield len({key_of(item) for item in value}) == len(value)
    prefix = len(listed(part, "prefixItems"))
    for index, item in enumerate(value):
        if index < prefix:
            yield accepts(child(part, "prefixItems", index), item, budget, depth)
        elif "items" in schema:
            yield accepts(child(part, "items"), item, budget, depth)
    if "contains" in schema:
        found = [accepts(child(part, "contains"), item, budget, depth) for item in value]
        sure, possible = found.count(True), len(found) - found.count(False)
        least, most = size(part, "minContains"), size(part, "maxContains")
        least = 1 if least is None else least
        yield True if sure >= least else False if possible < least else None
        if most is not None:
            yield True if possible <= most else False if sure > most else None


def _object_answers(part: Part, value: Mapping[str, Any], budget: Budget, depth: int) -> Iterable[Answer]:
    schema = part.schema
    fewest, most = size(part, "minProperties"), size(part, "maxProperties")
    if fewest is not None:
        yield len(value) >= fewest
    if most is not None:
        yield len(value) <= most
    yield all(name in value for name in texts(part, "required"))
    properties, patterns = mapping(part, "properties"), mapping(part, "patternProperties")
    for name, item in value.items():
        if "propertyNames" in schema:
            yield accepts(child(part, "propertyNames"), name, budget, depth)
        for pattern in patterns:  # it may match or not
            yield accepts(child(part, "patternProperties", pattern), item, budget, depth) or None
        if name in properties:
            yield accepts(child(part, "properties", name), item, budget, depth)
        elif "additionalProperties" in schema:
            answer = accepts(child(part, "additionalProperties"), item, budget, depth)
            yield (answer or None) if patterns else answer
    for name in mapping(part, "dependentRequired"):
        if name in value:
            yield all(other in value for other in texts(child(part, "dependentRequired"), name))
    for name in mapping(part, "dependentSchemas"):
        if name in value:
            yield accepts(child(part, "dependentSchemas", name), value, budget, depth)


def _applied(part: Part, value: Any, budget: Budget, depth: int) -> Iterable[Answer]:
    """The keywords that apply other schemas to the value itself."""
    schema = part.schema
    for alternative in alternatives(part, "allOf"):
        yield accepts(alternative, value, budget, depth)
    if "anyOf" in schema:
        yield _any(accepts(alternative, value, budget, depth) for alternative in alternatives(part, "anyOf"))
    if "oneOf" in schema:
        found = [accepts(alternative, value, budget, depth) for alternative in alternatives(part, "oneOf")]
        if found.count(True) > 1 or (True not in found and None not in found):
            yield False
        else:
            yield None if None in found else True
    if "not" in schema:
        yield _opposite(accepts(child(part, "not"), value, budget, depth))
    if "if" in schema:
        chosen = accepts(child(part, "if"), value, budget, depth)
        then = accepts(child(part, "then"), value, budget, depth) if "then" in schema else True
        otherwise = accepts(child(part, "else"), value, budget, depth) if "else" in schema else True
        if chosen is None:
            yield then if then == otherwise else None
        else:
            yield then if chosen else otherwise


def _opposite(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _all(answers: Iterable[Answer]) -> Answer:
    result: Answer = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _any(answers: Iterable[Answer]) -> Answer:
    result: Answer = False
    for answer in answers:
        if answer is True:
            return True
        if answer is None:
            result = None
    return result
