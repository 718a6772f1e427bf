"""Reads off a function's signature how it is called as a node: its ports, its config, its outputs."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from flowruntime.authoring.context import Context
from flowruntime.authoring.expressions import DataExpression, Expression
from flowruntime.authoring.waiting import Wait

__all__ = ["RESULT_PORT", "Field", "Signature", "is_plain", "read_signature", "split_annotated"]

#: The output port of a function whose return annotation names none.
RESULT_PORT: Final = "result"

_PLAIN: Final = frozenset(
    {Any, object, str, int, float, bool, None, type(None), dict, list, Expression, DataExpression}
)
_CONTAINERS: Final = frozenset({dict, list, Mapping, Sequence, typing.Union, types.UnionType})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter that is an input port or a config field, or one of the outputs."""

    name: str
    annotation: Any
    description: str = ""
    #: Whether it is a parameter without a default.
    required: bool = False
    default: Any = inspect.Parameter.empty
    #: Whether JSON values are instances of the annotated type as they are; otherwise they are converted.
    plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a node function is called and what it gives."""

    inputs: tuple[Field, ...]
    config: tuple[Field, ...]
    #: The parameter that takes the Context, None when there is none.
    context: str | None
    #: Whether `**inputs` takes ports of any name.
    open_inputs: bool
    outputs: tuple[Field, ...]
    #: What it returns: an object `{port: value}`, an object with a field for each port, or the value of one port.
    returns: Literal["ports", "fields", "value"]


@lru_cache(maxsize=1024)
def read_signature(function: Any) -> Signature:
    """The signature of a node function. Raises TypeError with the reason when it cannot be one."""
    name = function.__qualname__
    hints = _hints(function, name)
    inputs: list[Field] = []
    config: list[Field] = []
    context: str | None = None
    open_inputs = False
    for parameter in inspect.signature(function).parameters.values():
        annotation, description = split_annotated(hints.get(parameter.name, Any))
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            raise TypeError(
                f"{name}: the parameter {parameter.name!r} is positional only, and ports are given by name. "
                "Remove the * or / that makes it so."
            )
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_inputs = True
        elif _is_context(annotation):
            if context is not None:
                raise TypeError(f"{name}: both {context!r} and {parameter.name!r} take the Context. Remove one.")
            context = parameter.name
        else:
            field = Field(
                name=parameter.name,
                annotation=annotation,
                description=description,
                required=parameter.default is inspect.Parameter.empty,
                default=parameter.default,
                plain=is_plain(annotation),
            )
            (config if parameter.kind is inspect.Parameter.KEYWORD_ONLY else inputs).append(field)
    returned, text = split_annotated(hints.get("return", Any))
    outputs, returns = _read_outputs(_without_wait(returned), name, text)
    return Signature(
        inputs=tuple(inputs),
        config=tuple(config),
        context=context,
        open_inputs=open_inputs,
        outputs=outputs,
        returns=returns,
    )


def is_plain(annotation: Any) -> bool:
    """Whether JSON values are instances of the annotated type as they are, without being converted.

    >>> is_plain(list[str] | None), is_plain(set[str])
    (True, False)
    """
    return _is_plain(annotation, frozenset())


def split_annotated(annotation: Any) -> tuple[Any, str]:
    """An annotation without the texts in `Annotated[type, "what it is"]`, and the first such text.

    >>> split_annotated(Annotated[int, "How many."])
    (<class 'int'>, 'How many.')
    """
    if get_origin(annotation) is not Annotated:
        return annotation, ""
    inner, *extras = get_args(annotation)
    text = next((extra for extra in extras if isinstance(extra, str)), "")
    others = [extra for extra in extras if not isinstance(extra, str)]
    return (Annotated[(inner, *others)] if others else inner), text


def _hints(of: Any, name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(of, include_extras=True)
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        raise TypeError(
            f"{name}: its annotations cannot be read: {error}. "
            "What they name must be imported at the top of the module, not under TYPE_CHECKING alone."
        ) from error


def _is_context(annotation: Any) -> bool:
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return Context in get_args(annotation)
    return annotation is Context


def _is_plain(annotation: Any, inside: frozenset[Any]) -> bool:
    annotation = split_annotated(annotation)[0]  # what stays Annotated has constraints to check
    try:
        if annotation in _PLAIN or annotation in inside:
            return True
    except TypeError:  # an unhashable annotation
        return False
    origin = get_origin(annotation)
    if typing.is_typeddict(annotation):
        parts: Sequence[Any] = [*typing.get_type_hints(annotation).values()]
        return all(_is_plain(part, inside | {annotation}) for part in parts)
    if origin is Literal:
        return True
    return origin in _CONTAINERS and all(_is_plain(part, inside) for part in get_args(annotation))


def _without_wait(returns: Any) -> Any:
    """A return annotation such as `str | Wait` says the ports by what is left of it."""
    if get_origin(returns) not in (typing.Union, types.UnionType) or Wait not in get_args(returns):
        return returns
    return typing.Union[tuple(part for part in get_args(returns) if part is not Wait)]  # noqa: UP007 - made at run time


def _read_outputs(
    returns: Any, function: str, text: str
) -> tuple[tuple[Field, ...], Literal["ports", "fields", "value"]]:
    """`text` is what an annotation of the whole result says, which describes its one port."""
    if returns is None or returns is type(None):
        return (), "ports"
    if typing.is_typeddict(returns):
        return _fields(returns, function), "ports"
    if isinstance(returns, type) and (dataclasses.is_dataclass(returns) or hasattr(returns, "__struct_fields__")):
        return _fields(returns, function), "fields"
    return (Field(name=RESULT_PORT, annotation=returns, description=text, plain=is_plain(returns)),), "value"


def _fields(of: type, function: str) -> tuple[Field, ...]:
    found = []
    for name, hint in _hints(of, f"{function}, {of.__qualname__}").items():
        annotation, description = split_annotated(hint)
        origin = get_origin(annotation)
        if origin is typing.ClassVar or annotation is typing.ClassVar:
            continue
        if origin in (typing.Required, typing.NotRequired):
            annotation, inner = split_annotated(get_args(annotation)[0])
            description = description or inner
        found.append(Field(name=name, annotation=annotation, description=description, plain=is_plain(annotation)))
    return tuple(found)
