"""The `@node` decorator and what it leaves on a function or class: the definition of a node type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, TypeAlias, TypeVar, overload

from flowcore.errors import Problem
from flowcore.nodes import Deprecation, Effects, EffectsByConfig, NodeType, Port, Ports, RenamedPorts, Stability
from flowcore.policies import PartialRetryPolicy
from flowcore.values import did_you_mean, freeze

from flowruntime.authoring.nodes import Node

__all__ = ["Definition", "Migrate", "definition_of", "node"]

_MARK: Final = "__flownode__"
_TYPE_ID: Final = re.compile(r"[A-Za-z0-9_.-]+")

F = TypeVar("F", bound=Callable[..., Any])

#: `migrate(config, from_version)`: a config that was saved with an older version, as the newest version wants it.
Migrate: TypeAlias = Callable[[dict[str, Any], int], Mapping[str, Any]]


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
    #: Check what attempts return against the schemas of the output ports.
    check_outputs: bool = False
    examples: tuple[Any, ...] = ()
    stability: Stability = "stable"
    deprecation: Deprecation | None = None
    replaces: tuple[str, ...] = ()
    migrate: Migrate | None = None
    renamed: tuple[RenamedPorts, ...] = ()

    def node_type(self, *, type_id: str, implementation: str) -> NodeType:
        """The catalog entry; ports and config schema that are not given are derived from the signature.

        Imports msgspec. Raises TypeError for a declaration that makes no node type.
        """
        from flowruntime.authoring.deriving import derive

        derived = derive(self)
        made = NodeType(
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
            migrates=self.migrate is not None,
            renamed=self.renamed,
        )
        problems: list[Problem] = []
        # What a catalog could not hold is told here, where it was written; and as in a catalog, schemas are frozen.
        read = NodeType.read(made.to_json(), "", problems)
        if problems:
            raise TypeError(f"{self.target.__qualname__}: {problems[0]}")
        return read


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
    check_outputs: bool = False,
    examples: Sequence[Mapping[str, Any]] = (),
    stability: Stability = "stable",
    deprecation: Deprecation | None = None,
    replaces: Sequence[str] = (),
    migrate: Migrate | None = None,
    renamed: Sequence[RenamedPorts] = (),
) -> Callable[[F], F]: ...
def node(target: Any = None, /, **options: Any) -> Any:
    """Declare a function or a `Node` class as a node type.

    Of a function, the positional parameters are input ports (required without a default), the keyword-only ones are
    config fields, the return annotation says the outputs: a TypedDict, dataclass or msgspec.Struct names a port a
    field, None none, anything else is the one port `result`. A parameter annotated `Context` gets the attempt. The
    docstring's first line is the description. The function stays callable.

    `async def` runs on the event loop, a plain `def` on a thread, unless its `effects` are `"pure"` or `blocking`
    says otherwise. `effects` undeclared is `"write"`: the engine makes everything before it durable first. With
    `check_outputs` what each attempt returns is checked against the schemas of its output ports.

    A new `version` says that documents of the old one would not do. `migrate(config, from_version)` gives the config
    as the new version wants it; `from_version` is 0 for a type that this one `replaces`. It is pure: no I/O, no clock,
    the same answer every time. `renamed` says which ports have new names.

    >>> @node("text.shout", effects="pure")
    ... def shout(text: str, *, times: int = 1) -> str:
    ...     '''Say it louder.'''
    ...     return text.upper() + "!" * times
    >>> shout("hi", times=2)
    'HI!!'
    """
    if target is not None and not isinstance(target, str):
        if options:
            raise TypeError("@node takes the type id first: @node('namespace.name', …).")
        return _define(target, None)
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"@node has no option {name!r}. {did_you_mean(name, _OPTIONS)}".rstrip())
    return lambda function: _define(function, target, **options)


def _define(
    target: Any,
    type_id: str | None,
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
    check_outputs: bool = False,
    examples: Sequence[Mapping[str, Any]] = (),
    stability: Stability = "stable",
    deprecation: Deprecation | None = None,
    replaces: Sequence[str] = (),
    migrate: Migrate | None = None,
    renamed: Sequence[RenamedPorts] = (),
) -> Any:
    _check_target(target)
    name: str = target.__qualname__
    if definition_of(target) is not None:
        raise TypeError(f"{name} is a node type already. Remove one @node; one function makes one type.")
    type_id = target.__name__ if type_id is None else type_id
    if not _TYPE_ID.fullmatch(type_id):
        raise TypeError(
            f"{name}: {type_id!r} is no id of a node type. Write 'namespace.name' with letters, digits, _ and -."
        )
    doc = inspect.getdoc(target) if target.__doc__ else None
    definition = Definition(
        target=target,
        id=type_id,
        version=version,
        title=title or "",
        description=(doc or "").partition("\n")[0] if description is None else description,
        category=category,
        inputs=_ports(inputs, name),
        outputs=_ports(outputs, name),
        config=config,
        retry_policy=_retry_policy(retry_policy, name),
        timeout_ms=timeout_ms,
        effects=_effects(effects, name),
        trigger=trigger,
        blocking=blocking,
        check_outputs=check_outputs,
        examples=tuple(freeze(dict(example)) for example in examples),
        stability=stability,
        deprecation=deprecation,
        replaces=tuple(replaces),
        migrate=_migrate(migrate, name),
        renamed=tuple(renamed),
    )
    setattr(target, _MARK, definition)
    return target


_OPTIONS: Final = frozenset(_define.__kwdefaults__ or ())


def _check_target(target: Any) -> None:
    """Raise TypeError for what cannot be called as a node, with what to write instead."""
    if inspect.isclass(target):
        _check_class(target)
    elif not isinstance(target, FunctionType):
        raise TypeError(f"@node is for functions and classes, not for {target!r:.100}. Put it above a def or a class.")
    elif inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise TypeError(
            f"{target.__qualname__} yields, and a node gives its outputs all at once. "
            "Return them; ctx.events tells what happens meanwhile."
        )


def _check_class(target: type) -> None:
    name = target.__qualname__
    if not issubclass(target, Node):
        raise TypeError(f"{name} must inherit from flowruntime.authoring.Node to be a node type.")
    if inspect.isabstract(target):
        missing = ", ".join(sorted(target.__abstractmethods__))
        raise TypeError(f"{name} leaves out {missing}. Define it: async def execute(self, ctx).")
    for method in ("initialize", "shutdown"):
        if not inspect.iscoroutinefunction(getattr(target, method)):
            raise TypeError(f"{name}.{method} is awaited. Write async def {method}.")
    if not inspect.ismethod(target.create):
        raise TypeError(f"{name}.create makes the instance. Write @classmethod above it.")


def _ports(ports: Ports | Sequence[Port] | None, name: str) -> Ports | None:
    if ports is None or isinstance(ports, Ports):
        return ports
    for port in ports:
        if not isinstance(port, Port):
            raise TypeError(f"{name}: {port!r} is no port. Write Port(name=…).")
    return Ports(ports=tuple(ports))


def _effects(effects: Effects | Mapping[str, Any], name: str) -> Effects:
    if not isinstance(effects, Mapping):
        return effects
    if effects.keys() != {"from", "read", "else"}:
        raise TypeError(f"{name}: effects by config are {{'from': '/field', 'read': […], 'else': 'write'}}.")
    return EffectsByConfig(pointer=effects["from"], read=tuple(effects["read"]), otherwise=effects["else"])


def _migrate(migrate: Any, name: str) -> Migrate | None:
    if migrate is not None and (not callable(migrate) or inspect.iscoroutinefunction(migrate)):
        raise TypeError(f"{name}: migrate is a plain function. Write def migrate(config, from_version).")
    return migrate  # type: ignore[no-any-return]


def _retry_policy(policy: Mapping[str, Any] | None, name: str) -> PartialRetryPolicy | None:
    problems: list[Problem] = []
    read = PartialRetryPolicy.read(None if policy is None else dict(policy), "/retry_policy", problems)
    if problems:
        raise TypeError(f"{name}: {problems[0]}")
    return read
