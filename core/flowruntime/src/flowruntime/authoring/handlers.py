"""What the engine calls for an attempt: one handler a node instance, made of a function or of a `Node`.

A handler gives `{port: value}`; how it must be called is its `mode`: awaited on the loop (`async`), called on the loop
(`inline`), or called on a thread (`thread`).
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from flowcore.errors import FatalNodeError

from flowruntime.authoring.context import Context
from flowruntime.authoring.definitions import Definition
from flowruntime.authoring.nodes import Node
from flowruntime.authoring.signatures import RESULT_PORT, Parameter, Signature, read_signature

__all__ = ["Handler", "Mode", "make_handler"]

Mode: TypeAlias = Literal["async", "inline", "thread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """`call(ctx)` makes one attempt; `instance` is the Node to initialize and shut down, None for functions."""

    mode: Mode
    call: Callable[[Context], Any]
    instance: Node | None = None
    #: Turns the resolved config, a dict, into what the node gets as `ctx.config`.
    read_config: Callable[[dict[str, Any]], Any] | None = None


def make_handler(definition: Definition, config: Mapping[str, Any]) -> Handler:
    """The handler of one node. `config` is the node's config as written, for `Node.create`.

    Runs the author's `create`, so whatever that raises comes out.
    """
    target = definition.target
    if isinstance(target, type):
        instance: Node = target.create(config)
        mode = _mode(definition, instance.execute)
        return Handler(mode=mode, call=instance.execute, instance=instance, read_config=_config_reader(definition))
    signature = read_signature(target)
    mode = _mode(definition, target)
    return Handler(mode=mode, call=_adapt(definition, target, signature, is_async=mode == "async"))


def _mode(definition: Definition, function: Callable[..., Any]) -> Mode:
    if inspect.iscoroutinefunction(function):
        return "async"
    blocking = definition.blocking if definition.blocking is not None else definition.effects != "pure"
    return "thread" if blocking else "inline"


def _config_reader(definition: Definition) -> Callable[[dict[str, Any]], Any] | None:
    config = definition.config
    if config is None or isinstance(config, Mapping):
        return None
    if hasattr(config, "model_validate"):  # pydantic
        return config.model_validate  # type: ignore[no-any-return]
    return lambda value: _convert(value, config, "config")


def _adapt(
    definition: Definition, function: Callable[..., Any], signature: Signature, *, is_async: bool
) -> Callable[[Context], Any]:
    """A callable of the context alone. The plain case, ports in and JSON out, costs one call."""
    context_name = signature.context
    has_config = bool(signature.config)
    converted = [p for p in (*signature.inputs, *signature.config) if not p.plain]
    wrap = _wrapper(definition, signature)

    def arguments(ctx: Context) -> dict[str, Any]:
        given = {**ctx.inputs, **ctx.config} if has_config else dict(ctx.inputs)
        if context_name is not None:
            given[context_name] = ctx
        for parameter in converted:
            if parameter.name in given:
                given[parameter.name] = _convert_parameter(given[parameter.name], parameter)
        return given

    simple = not (has_config or converted or context_name)
    if is_async:

        async def call_async(ctx: Context) -> Any:
            return wrap(await function(**(ctx.inputs if simple else arguments(ctx))))

        return call_async

    def call(ctx: Context) -> Any:
        return wrap(function(**(ctx.inputs if simple else arguments(ctx))))

    return call


def _wrapper(definition: Definition, signature: Signature) -> Callable[[Any], Any]:
    """How a function's return value becomes `{port: value}`."""
    fields = signature.output_fields
    if definition.outputs is not None or (
        fields is not None
        and isinstance(signature.returns, type)
        and (issubclass(signature.returns, dict) or not fields)
    ):
        return lambda result: {} if result is None else result
    if fields is None:
        return lambda result: {RESULT_PORT: result}
    names = [port.name for port in fields]
    if dataclasses.is_dataclass(signature.returns) or hasattr(signature.returns, "__struct_fields__"):
        return lambda result: {name: _to_plain(getattr(result, name)) for name in names}
    return lambda result: {} if result is None else result


def _to_plain(value: Any) -> Any:
    if value is None or type(value) in (str, int, float, bool, dict, list):
        return value
    import msgspec

    return msgspec.to_builtins(value)


def _convert_parameter(value: Any, parameter: Parameter) -> Any:
    return _convert(value, parameter.annotation, parameter.name)


def _convert(value: Any, annotation: Any, name: str) -> Any:
    import msgspec

    try:
        return msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        raise FatalNodeError(
            f"The value of {name!r} does not fit its declared type: {error}.",
            code="node.input_type",
            remedy="Give a value of that type, or widen the annotation.",
        ) from error
