"""What the engine calls for an attempt: one handler a node instance, made of a function or of a `Node`.

A handler gives `{port: value}`; how it must be called is its `mode`: awaited on the loop (`async`), called on the loop
(`inline`), or called on a thread (`thread`). `wrapped` is one of these, with what plugins put around it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from flowcore.errors import FatalNodeError

from flowruntime.authoring.annotated import to_annotated, to_value
from flowruntime.authoring.context import Context
from flowruntime.authoring.definitions import Definition
from flowruntime.authoring.nodes import Node
from flowruntime.authoring.signatures import RESULT_PORT, Signature, read_signature
from flowruntime.authoring.waiting import Wait

__all__ = ["Handler", "Mode", "make_handler"]

Mode: TypeAlias = Literal["async", "inline", "thread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """`call(ctx)` makes one attempt; `instance` is the Node to initialize and shut down, None for functions."""

    mode: Mode | Literal["wrapped"]
    call: Callable[[Context], Any]
    instance: Node | None = None
    #: Turns the resolved config, a dict, into what the node gets as `ctx.config`; None for a dict.
    read_config: Callable[[dict[str, Any]], Any] | None = None
    #: The author's coroutine function, when it takes input ports only and gives the port `result`: it needs no context.
    plain: Callable[..., Awaitable[Any]] | None = None
    #: How to make the call inside, where the mode is `wrapped`.
    wrapped: Mode | None = None


def make_handler(definition: Definition, config: Mapping[str, Any]) -> Handler:
    """The handler of one node. `config` is the node's config as written, for `Node.create`.

    Runs the author's `create`, so whatever that raises comes out.
    """
    target = definition.target
    read_config = _config_reader(definition.config)
    if inspect.isclass(target) and issubclass(target, Node):
        instance = target.create(config)
        mode = _mode(definition, instance.execute)
        return Handler(mode=mode, call=instance.execute, instance=instance, read_config=read_config)
    mode = _mode(definition, target)
    function: Callable[..., Any] = definition.target
    take, give = _adapters(definition)
    is_plain = mode == "async" and take is _take_inputs and give is _as_result
    call = _adapt(function, take, give, is_async=mode == "async")
    return Handler(mode=mode, call=call, read_config=read_config, plain=function if is_plain else None)


def _mode(definition: Definition, function: Callable[..., Any]) -> Mode:
    if inspect.iscoroutinefunction(function):
        return "async"
    blocking = definition.blocking if definition.blocking is not None else definition.effects != "pure"
    return "thread" if blocking else "inline"


def _config_reader(config: type | Mapping[str, Any] | None) -> Callable[[dict[str, Any]], Any] | None:
    if config is None or isinstance(config, Mapping):
        return None
    validate = getattr(config, "model_validate", None)  # pydantic
    if validate is None:
        return lambda value: to_annotated(value, config, "config")

    def read(value: dict[str, Any]) -> Any:
        try:
            return validate(value)
        except ValueError as error:
            raise FatalNodeError(
                f"The config does not fit {config.__qualname__}: {_reasons(error)}.",
                code="config.schema",
                remedy="Give values that the class accepts.",
            ) from None  # pydantic's own text shows the values, which may be secrets

    return read


def _reasons(error: ValueError) -> str:
    listed = error.errors() if hasattr(error, "errors") else []
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in listed) or type(error).__name__


def _adapters(definition: Definition) -> tuple[Callable[[Context], dict[str, Any]], Callable[[Any], Any]]:
    """What gives a function its arguments, and what makes `{port: value}` of its result."""
    signature = read_signature(definition.target)
    return _taker(signature), _giver(signature, says_ports=definition.outputs is not None)


def _adapt(
    function: Callable[..., Any],
    take: Callable[[Context], dict[str, Any]],
    give: Callable[[Any], Any],
    *,
    is_async: bool,
) -> Callable[[Context], Any]:
    """A callable of the context alone."""
    if is_async:

        async def call_async(ctx: Context) -> Any:
            result = await function(**take(ctx))
            return result if type(result) is Wait else give(result)

        return call_async

    def call(ctx: Context) -> Any:
        result = function(**take(ctx))
        return result if type(result) is Wait else give(result)

    return call


#: The arguments of a function whose parameters are ports and nothing else.
_take_inputs: Final[Callable[[Context], dict[str, Any]]] = attrgetter("inputs")


def _taker(signature: Signature) -> Callable[[Context], dict[str, Any]]:
    """What gives the arguments of a call. The plain case, ports alone, copies nothing."""
    context = signature.context
    config_names = tuple(field.name for field in signature.config)
    converted = [field for field in (*signature.inputs, *signature.config) if not field.plain]
    if context is None and not config_names and not converted:
        return _take_inputs
    taken = frozenset(config_names) | ({context} if context is not None else frozenset())

    def take(ctx: Context) -> dict[str, Any]:
        arguments = dict(ctx.inputs)
        if signature.open_inputs and not taken.isdisjoint(arguments):
            raise _name_taken(min(taken & arguments.keys()))
        for name in config_names:
            if name in ctx.config:
                arguments[name] = ctx.config[name]
        if context is not None:
            arguments[context] = ctx
        for field in converted:
            if field.name in arguments:
                arguments[field.name] = to_annotated(arguments[field.name], field.annotation, field.name)
        return arguments

    return take


def _name_taken(name: str) -> FatalNodeError:
    return FatalNodeError(
        f"The node takes ports of any name but {name!r}, which is a parameter of its own.",
        code="node.input_name",
        remedy="Connect to a port of another name.",
    )


def _giver(signature: Signature, *, says_ports: bool) -> Callable[[Any], Any]:
    """What turns a returned object into `{port: value}`; a node with ports of its own returns just that."""
    converted = [field.name for field in signature.outputs if not field.plain]
    if signature.returns == "fields":
        read = _fields_as_ports([field.name for field in signature.outputs])
    elif signature.returns == "ports":
        read = _as_ports
    elif says_ports:
        return _as_ports
    else:
        read = _as_result
    if not converted:
        return read

    def convert(result: Any) -> Any:
        ports = dict(read(result))
        for name in converted:
            if name in ports:
                ports[name] = to_value(ports[name], name)
        return ports

    return convert


def _as_ports(result: Any) -> Any:
    return {} if result is None else result


def _as_result(result: Any) -> Any:
    return {RESULT_PORT: result}


def _fields_as_ports(names: Sequence[str]) -> Callable[[Any], Any]:
    return lambda result: {name: getattr(result, name) for name in names}
