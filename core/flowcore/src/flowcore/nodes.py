"""Node types: what a node can do, as its pack's catalog says it, without importing any code of the pack.

The ports of a type are *fixed* ones plus those that one of three rules reads off a node's config or wiring:

| rule | ports |
|---|---|
| `fixed` | none beside the fixed ones |
| `each` | one per element of the config list at `pointer`, named by the element's `port` |
| `any` | every name; as outputs with `passthrough`, each input is given out again under its name |
| `signature` | those of the document (or `{inputs, outputs}` schemas) that the config value at `pointer` is or names |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from flowcore.errors import Problem
from flowcore.policies import PartialRetryPolicy
from flowcore.schemas import ANY_SCHEMA, Schema
from flowcore.values import FrozenDict, ObjectReader, freeze

__all__ = [
    "DEFAULT_TIMEOUT_MS",
    "Deprecation",
    "EffectKind",
    "Effects",
    "EffectsByConfig",
    "Join",
    "NodeType",
    "Port",
    "PortRule",
    "Ports",
    "RenamedPorts",
    "Stability",
    "effects_of",
    "ports_of",
    "value_at",
]

#: The timeout of an attempt where neither the document nor the type says one.
DEFAULT_TIMEOUT_MS = 300_000

EffectKind: TypeAlias = Literal["pure", "read", "write"]
Join: TypeAlias = Literal["all", "first"]
PortRule: TypeAlias = Literal["fixed", "each", "any", "signature"]
Stability: TypeAlias = Literal["stable", "beta", "experimental", "deprecated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A named place where values go in or come out. `multiple`: takes the list of all live values.

    `checked` says of an output that what an attempt gives there is checked against the schema, at the cost of a look at
    the whole value; without it the schema is taken at its word.
    """

    name: str
    schema: Schema = ANY_SCHEMA
    description: str = ""
    required: bool = False
    multiple: bool = False
    join: Join = "all"
    checked: bool = False

    @classmethod
    def read(cls, value: Any, pointer: str, problems: list[Problem]) -> Port:
        """A port from a catalog."""
        reader = ObjectReader(value, pointer, problems, what="A port")
        port = cls(
            name=reader.text("name", empty=False) or "",
            schema=freeze(reader.any("schema", ANY_SCHEMA)),
            description=reader.text("description", ""),
            required=reader.flag("required", default=False),
            multiple=reader.flag("multiple", default=False),
            join=reader.choice("join", ("all", "first"), "all"),
            checked=reader.flag("checked", default=False),
        )
        reader.finish()
        return port

    def to_json(self) -> dict[str, Any]:
        """The port as it stands in a catalog; defaults are left out."""
        entry: dict[str, Any] = {"name": self.name}
        if self.schema is not True:
            entry["schema"] = self.schema
        if self.description:
            entry["description"] = self.description
        if self.required:
            entry["required"] = True
        if self.multiple:
            entry["multiple"] = True
        if self.join != "all":
            entry["join"] = self.join
        if self.checked:
            entry["checked"] = True
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All ports of one side: fixed ones, and a rule for the others."""

    ports: tuple[Port, ...] = ()
    rule: PortRule = "fixed"
    #: JSON Pointer into the config, for `each` and `signature`.
    pointer: str = ""
    #: For outputs of rule `any`: every input comes out again under its name.
    passthrough: bool = False

    @classmethod
    def read(cls, value: Any, pointer: str, problems: list[Problem]) -> Ports:
        """One side's ports from a catalog."""
        if value is None:
            return cls()
        reader = ObjectReader(value, pointer, problems, what="A side's ports")
        items = reader.items("ports", [])
        ports = cls(
            ports=tuple(Port.read(item, f"{pointer}/ports/{i}", problems) for i, item in enumerate(items)),
            rule=reader.choice("rule", ("fixed", "each", "any", "signature"), "fixed"),
            pointer=reader.text("pointer", ""),
            passthrough=reader.flag("passthrough", default=False),
        )
        reader.finish()
        return ports

    def to_json(self) -> dict[str, Any]:
        """The ports as they stand in a catalog."""
        entry: dict[str, Any] = {"ports": [port.to_json() for port in self.ports]}
        if self.rule != "fixed":
            entry["rule"] = self.rule
        if self.pointer:
            entry["pointer"] = self.pointer
        if self.passthrough:
            entry["passthrough"] = True
        return entry

    def get(self, name: str) -> Port | None:
        """The fixed port of that name."""
        for port in self.ports:
            if port.name == name:
                return port
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectsByConfig:
    """Effects that depend on the config value at `pointer`: `read` for the listed values, else `otherwise`."""

    pointer: str
    read: tuple[Any, ...]
    otherwise: EffectKind = "write"

    def to_json(self) -> dict[str, Any]:
        """The form of the catalog: `{"from", "read", "else"}`."""
        return {"from": self.pointer, "read": list(self.read), "else": self.otherwise}


Effects: TypeAlias = EffectKind | EffectsByConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Since which version a type is deprecated, in which it goes, and what to use instead."""

    since: str
    removal: str | None = None
    use: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields that are set."""
        entry = {"since": self.since, "removal": self.removal, "use": self.use}
        return {key: value for key, value in entry.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamedPorts:
    """What became of ports: old name to new name, for documents saved with an older version or a replaced type."""

    #: The id of the replaced type; None for the type's own older versions.
    type: str | None = None
    #: It holds for documents saved with a lower version than this; None: with any.
    below: int | None = None
    inputs: Mapping[str, str] = field(default_factory=FrozenDict)
    outputs: Mapping[str, str] = field(default_factory=FrozenDict)

    @classmethod
    def read(cls, value: Any, pointer: str, problems: list[Problem]) -> RenamedPorts:
        """Renamed ports from a catalog."""
        reader = ObjectReader(value, pointer, problems, what="Renamed ports")
        renamed = cls(
            type=reader.text("type", None, empty=False),
            below=reader.integer("below", None, minimum=2),
            inputs=_read_names(reader, "inputs"),
            outputs=_read_names(reader, "outputs"),
        )
        reader.finish()
        return renamed

    def to_json(self) -> dict[str, Any]:
        """The entry as it stands in a catalog; what is empty is left out."""
        entry = {"type": self.type, "below": self.below, "inputs": self.inputs, "outputs": self.outputs}
        return {key: value for key, value in entry.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """One entry of a catalog."""

    id: str
    version: int = 1
    #: Where the code is: `module:name`. Imported at the first use.
    implementation: str
    title: str = ""
    description: str = ""
    category: str = ""
    inputs: Ports = Ports()
    outputs: Ports = Ports()
    config_schema: Schema = field(default_factory=lambda: FrozenDict(type="object", additionalProperties=False))
    retry_policy: PartialRetryPolicy | None = None
    timeout_ms: float | None = None
    effects: Effects = "write"
    #: The node starts workflows; it fires from outside and has no inputs.
    trigger: bool = False
    #: Objects `{"title", "config", "inputs", "outputs"}` that the docs show and the conformance suite runs.
    examples: tuple[Any, ...] = ()
    stability: Stability = "stable"
    deprecation: Deprecation | None = None
    #: Ids of the types that this one stands in for.
    replaces: tuple[str, ...] = ()
    #: Whether its code has a `migrate` for configs of older versions and of replaced types.
    migrates: bool = False
    renamed: tuple[RenamedPorts, ...] = ()

    @property
    def namespace(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    @property
    def standing(self) -> Stability:
        """The stability as lists show it: what is going to be removed is deprecated, whatever it was."""
        return "deprecated" if self.deprecation is not None else self.stability

    @classmethod
    def read(cls, value: Any, pointer: str, problems: list[Problem]) -> NodeType:
        """A type from a catalog; faults become problems."""
        reader = ObjectReader(value, pointer, problems, what="A node type")
        examples = reader.items("examples", [])
        renamed = reader.items("renamed", [])
        node_type = cls(
            id=reader.text("id", empty=False) or "",
            version=reader.integer("version", 1, minimum=1),
            implementation=reader.text("implementation", empty=False) or "",
            title=reader.text("title", ""),
            description=reader.text("description", ""),
            category=reader.text("category", ""),
            inputs=Ports.read(reader.any("inputs"), f"{pointer}/inputs", problems),
            outputs=Ports.read(reader.any("outputs"), f"{pointer}/outputs", problems),
            config_schema=reader.object("config", {"type": "object", "additionalProperties": False}),
            retry_policy=PartialRetryPolicy.read(reader.any("retry_policy"), f"{pointer}/retry_policy", problems),
            timeout_ms=reader.number("timeout_ms", None),
            effects=_read_effects(reader.any("effects", "write"), f"{pointer}/effects", problems),
            trigger=reader.flag("trigger", default=False),
            examples=tuple(freeze(example) for example in examples),
            stability=reader.choice("stability", ("stable", "beta", "experimental", "deprecated"), "stable"),
            deprecation=_read_deprecation(reader.any("deprecation"), f"{pointer}/deprecation", problems),
            replaces=reader.texts("replaces"),
            migrates=reader.flag("migrates", default=False),
            renamed=tuple(
                RenamedPorts.read(item, f"{pointer}/renamed/{i}", problems) for i, item in enumerate(renamed)
            ),
        )
        reader.finish()
        return node_type

    def to_json(self) -> dict[str, Any]:
        """The entry as it stands in a catalog; what is empty is left out."""
        entry: dict[str, Any] = {"id": self.id, "version": self.version, "implementation": self.implementation}
        optional: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "category": self.category,
        }
        entry.update({key: value for key, value in optional.items() if value})
        entry["inputs"] = self.inputs.to_json()
        entry["outputs"] = self.outputs.to_json()
        entry["config"] = self.config_schema
        if self.retry_policy is not None:
            entry["retry_policy"] = self.retry_policy.to_json()
        if self.timeout_ms is not None:
            entry["timeout_ms"] = self.timeout_ms
        entry["effects"] = self.effects if isinstance(self.effects, str) else self.effects.to_json()
        if self.trigger:
            entry["trigger"] = True
        if self.examples:
            entry["examples"] = list(self.examples)
        entry["stability"] = self.stability
        if self.deprecation is not None:
            entry["deprecation"] = self.deprecation.to_json()
        if self.replaces:
            entry["replaces"] = list(self.replaces)
        if self.migrates:
            entry["migrates"] = True
        if self.renamed:
            entry["renamed"] = [renamed.to_json() for renamed in self.renamed]
        return entry


def effects_of(effects: Effects, config: Any) -> EffectKind:
    """What a node with this config does to the world.

    >>> effects_of(EffectsByConfig(pointer="/method", read=("GET",)), {"method": "GET"})
    'read'
    """
    if isinstance(effects, str):
        return effects
    return "read" if value_at(config, effects.pointer) in effects.read else effects.otherwise


def ports_of(ports: Ports, config: Any) -> tuple[Port, ...]:
    """The ports that can be named from the type and the config alone: fixed ones, and those of rule `each`.

    >>> [port.name for port in ports_of(Ports(rule="each", pointer="/cases"), {"cases": [{"port": "a"}]})]
    ['a']
    """
    if ports.rule != "each":
        return ports.ports
    found = value_at(config, ports.pointer)
    items = found if isinstance(found, list) else ()  # a config of another shape is told by its schema
    names = [item["port"] for item in items if isinstance(item, dict) and isinstance(item.get("port"), str)]
    return (*ports.ports, *(Port(name=name) for name in dict.fromkeys(names) if ports.get(name) is None))


def value_at(config: Any, pointer: str) -> Any:
    """What stands at a JSON Pointer of a config; None where nothing does. Goes through objects only.

    >>> value_at({"auth": {"type": "basic"}}, "/auth/type")
    'basic'
    """
    value = config
    for step in pointer.split("/")[1:]:
        value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
    return value


def _read_names(reader: ObjectReader, name: str) -> FrozenDict:
    names: FrozenDict = reader.object(name, FrozenDict())
    if not all(isinstance(new, str) and new for new in names.values()):
        reader.problem(name, f"{name!r} must give a new name for each old one.", 'Write {"old": "new"}.')
        return FrozenDict()
    return names


def _read_effects(value: Any, pointer: str, problems: list[Problem]) -> Effects:
    if value in ("pure", "read", "write"):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, dict):
        problems.append(
            Problem(
                code="catalog.effects",
                pointer=pointer,
                message="The effects must be 'pure', 'read', 'write' or by config.",
                remedy='Write one of them, or {"from": "/field", "read": […], "else": "write"}.',
            )
        )
        return "write"
    reader = ObjectReader(value, pointer, problems, what="Effects by config")
    effects = EffectsByConfig(
        pointer=reader.text("from") or "",
        read=tuple(reader.items("read")),
        otherwise=reader.choice("else", ("pure", "read", "write"), "write"),
    )
    reader.finish()
    return effects


def _read_deprecation(value: Any, pointer: str, problems: list[Problem]) -> Deprecation | None:
    if value is None:
        return None
    reader = ObjectReader(value, pointer, problems, what="A deprecation")
    deprecation = Deprecation(
        since=reader.text("since") or "", removal=reader.text("removal", None), use=reader.text("use", None)
    )
    reader.finish()
    return deprecation
