"""The `@node` decorator and what it leaves on a function or class: the definition of a node type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from flowcore.errors import Problem
from flowcore.nodes import Deprecation, Effects, EffectsByConfig, NodeType, Port, Ports, Stability
from flowcore.policies import PartialRetryPolicy
from flowcore.values import freeze

from flowruntime.authoring.nodes import Node

__all__ = ["Definition", "definition_of", "node"]

_MARK = "__flownode__"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A node type as its author wrote it: the function or class, and what the decorator says about it."""

    target: type[Node] | Callable[..., Any]
    id: str
    version: int = 1
    title: str = ""
    description: str = ""
    category: str = ""
    #: None: read off the signature.
    inputs: Ports | None = None
    outputs: Ports | None = None
    #: A class that says the config's fields (msgspec.Struct, dataclass, pydantic model), or a JSON Schema.
    config: type | Mapping[str, Any] | None = None
    retry_policy: PartialRetryPolicy | None = None
    timeout_ms: float | None = None
    effects: Effects = "write"
    trigger: bool = False
    #: Run on a thread: None means that plain functions do, unless their effects are `pure`.
    blocking: bool | None = None
    examples: tuple[Any, ...] = ()
    stability: Stability = "stable"
    deprecation: Deprecation | None = None
    replaces: tuple[str, ...] = ()

    def node_type(self, *, type_id: str, implementation: str) -> NodeType:
        """The catalog entry; ports and config schema that are not given are derived from the signature.

        Imports msgspec. Raises TypeError for a declaration that makes no node type.
        """
        from flowruntime.authoring.signatures import derive

        derived = derive(self)
        return NodeType(
            id=type_id,
            version=self.version,
            implementation=implementation,
            title=self.title,
            description=self.description,
            category=self.category,
            inputs=derived.inputs,
            outputs=derived.outputs,
            config_schema=freeze(derived.config_schema),
            retry_policy=self.retry_policy,
            timeout_ms=self.timeout_ms,
            effects=self.effects,
            trigger=self.trigger,
            examples=self.examples,
            stability=self.stability,
            deprecation=self.deprecation,
            replaces=self.replaces,
        )


def definition_of(target: object) -> Definition | None:
    """The definition that `@node` left on a function or class, None when there is none."""
    definition = getattr(target, _MARK, None)
    # A subclass inherits the attribute, but it is not the node type that was declared.
    return definition if isinstance(definition, Definition) and definition.target is target else None


@overload
def node(target: F, /) -> F: ...
@overload
def node(
    type_id: str | None = None,
    /,
    *,
    version: int = 1,
    title: str | None = None,
    description: str | None = None,
    category: str = "",
    inputs: Ports | Sequence[Port] | None = None,
    outputs: Ports | Sequence[Port] | None = None,
    config: type | Mapping[str, Any] | None = None,
    retry_policy: Mapping[str, Any] | None = None,
    timeout_ms: float | None = None,
    effects: Effects | Mapping[str, Any] = "write",
    trigger: bool = False,
    blocking: bool | None = None,
    examples: Sequence[Mapping[str, Any]] = (),
    stability: Stability = "stable",
    deprecation: Deprecation | None = None,
    replaces: Sequence[str] = (),
) -> Callable[[F], F]: ...
def node(target: Any = None, /, **options: Any) -> Any:
    """Declare a function or a `Node` class as a node type.

    Of a function, the positional parameters are input ports (required without a default), the keyword-only ones are
    config fields, the return annotation says the outputs: a TypedDict, dataclass or msgspec.Struct names a port a
    field, None none, anything else is the one port `result`. A parameter annotated `Context` gets the attempt. The
    docstring's first line is the description. The function stays callable.

    `async def` runs on the event loop, a plain `def` on a thread, unless its `effects` are `"pure"` or `blocking`
    says otherwise. `effects` undeclared is `"write"`: the engine makes everything before it durable first.

    >>> @node("text.shout", effects="pure")
    ... def shout(text: str, *, times: int = 1) -> str:
    ...     '''Say it louder.'''
    ...     return text.upper() + "!" * times
    >>> shout("hi", times=2)
    'HI!!'
    """
    if target is None or isinstance(target, str):
        return lambda function: _define(function, target, options)
    if options or not callable(target):
        msg = "@node takes the type id first: @node('namespace.name', …)."
        raise TypeError(msg)
    return _define(target, None, {})


def _define(target: Any, type_id: str | None, options: dict[str, Any]) -> Any:
    if inspect.isclass(target) and not issubclass(target, Node):
        msg = f"{target.__qualname__} must inherit from flowruntime.authoring.Node to be a node type."
        raise TypeError(msg)
    name: str = target.__name__
    doc = (inspect.getdoc(target) or "").strip().split("\n", 1)[0] if target.__doc__ else ""
    description = options.pop("description", None)
    definition = Definition(
        target=target,
        id=type_id or name,
        title=options.pop("title", None) or "",
        description=doc if description is None else description,
        inputs=_ports(options.pop("inputs", None)),
        outputs=_ports(options.pop("outputs", None)),
        retry_policy=_retry_policy(options.pop("retry_policy", None), name),
        effects=_effects(options.pop("effects", "write")),
        examples=tuple(freeze(dict(example)) for example in options.pop("examples", ())),
        replaces=tuple(options.pop("replaces", ())),
        **options,
    )
    setattr(target, _MARK, definition)
    return target


def _ports(ports: Ports | Sequence[Port] | None) -> Ports | None:
    return ports if ports is None or isinstance(ports, Ports) else Ports(ports=tuple(ports))


def _effects(effects: Effects | Mapping[str, Any]) -> Effects:
    if isinstance(effects, Mapping):
        return EffectsByConfig(pointer=effects["from"], read=tuple(effects["read"]), otherwise=effects["else"])
    return effects


def _retry_policy(policy: Mapping[str, Any] | None, name: str) -> PartialRetryPolicy | None:
    problems: list[Problem] = []
    read = PartialRetryPolicy.read(None if policy is None else dict(policy), "/retry_policy", problems)
    if problems:
        msg = f"@node on {name!r}: {problems[0]}"
        raise TypeError(msg)
    return read
