"""Shows one node type: what goes in and out, what can be configured, how it fails, and examples to copy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowcore.nodes import DEFAULT_TIMEOUT_MS, EffectsByConfig, NodeType, Port, Ports
from flowcore.policies import resolve_retry_policy
from flowcore.schemas import Schema, default_of
from flowcore.values import did_you_mean, write_json

from flowcli.durations import duration_text
from flowcli.exit_codes import SUCCESS
from flowcli.terminal import data_width, printable, write_data
from flowcli.usage import UsageError

if TYPE_CHECKING:
    from flowruntime.registry import Registry

__all__ = ["schema_words", "show_type"]

_WIDTH = 100
_NARROWEST = 40
_LONGEST_TYPE = 24


def show_type(registry: Registry, type_id: str, *, as_json: bool) -> int:
    """Show the newest version of a type. Raises UsageError for one that is not here, with what to do about it."""
    node_type = registry.get(type_id)
    if node_type is None:
        remedy = did_you_mean(type_id, registry.type_ids()) or registry.explain_missing(type_id)
        raise UsageError(f"There is no node type {type_id!r}.", code="node_type.unknown", remedy=remedy)
    pack = next(row.pack for row in registry.rows() if row.id == node_type.id)
    if as_json:
        write_data(write_json({**node_type.to_json(), "pack": pack}, indent=2) + "\n")
    else:
        width = max(min(data_width() or _WIDTH, _WIDTH), _NARROWEST)
        write_data(printable("\n".join(_page(node_type, pack, width)) + "\n"))
    return SUCCESS


def schema_words(schema: Schema) -> str:
    """What a JSON Schema accepts, in a few words.

    >>> schema_words({"type": ["string", "null"]}), schema_words({"enum": ["GET", "PUT"]})
    ('string or null', '"GET" | "PUT"')
    >>> schema_words({"type": "array", "items": {"type": "integer"}}), schema_words(True)
    ('array of integer', 'any')
    """
    if not isinstance(schema, Mapping):
        return "any" if schema else "nothing"
    match schema:
        case {"x-expression": mark} if mark:
            return "expression"
        case {"x-workflow": mark} if mark:
            return "workflow"
        case {"const": value}:
            return write_json(value)
        case {"enum": [*values]}:
            return " | ".join(map(write_json, values))
        case {"anyOf": [*branches]} | {"oneOf": [*branches]}:
            return " or ".join(dict.fromkeys(map(schema_words, branches)))
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2]
        case _:
            return _type_words(schema)


def _type_words(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"type": "array", "items": items} if items is not True:
            return f"array of {schema_words(items)}"
        case {"type": str(name)}:
            return name
        case {"type": [*names]}:
            return " or ".join(map(str, names))
        case _:
            return "any"


def _page(node_type: NodeType, pack: str, width: int) -> Iterable[str]:
    yield f"{node_type.id}  version {node_type.version}, {node_type.stability}, from {pack}"
    if node_type.title or node_type.description:
        yield from textwrap.wrap(": ".join(filter(None, (node_type.title, node_type.description))), width)
    if node_type.deprecation is not None:
        deprecation = node_type.deprecation
        use = f"; use {deprecation.use}" if deprecation.use else ""
        removal = f", goes in {deprecation.removal}" if deprecation.removal else ""
        yield f"Deprecated since {deprecation.since}{removal}{use}."
    if node_type.trigger:
        yield "It is a trigger: it starts workflows."
    yield from _section("Inputs", _ports(node_type.inputs), width)
    yield from _section("Outputs", _ports(node_type.outputs), width)
    yield from _section("Config", _fields(node_type.config_schema), width)
    yield ""
    yield f"Effects:  {_effects(node_type)}"
    yield f"Retries:  {_retries(node_type)}"
    timeout_ms = DEFAULT_TIMEOUT_MS if node_type.timeout_ms is None else node_type.timeout_ms
    yield f"Timeout:  {duration_text(timeout_ms)} an attempt"
    if node_type.replaces:
        yield f"Replaces: {', '.join(node_type.replaces)}"
    for example in node_type.examples:
        yield ""
        yield f"Example: {example.get('title') or node_type.id}"
        yield from textwrap.indent(_snippet(node_type, example), "  ").splitlines()
        if "outputs" in example:
            yield f"  gives {write_json(example['outputs'])}"
        elif "error" in example:
            yield f"  fails with {example['error']}"


def _section(title: str, entries: Sequence[tuple[str, str, str]], width: int) -> Iterable[str]:
    """Entries of name, type and description under a title; long ones go on below, indented."""
    if not entries:
        return
    yield ""
    yield title
    names = max(len(name) for name, _, _ in entries)
    # A type that is longer than most only moves its own line.
    types = max((len(kind) for _, kind, _ in entries if len(kind) <= _LONGEST_TYPE), default=0)
    for name, kind, description in entries:
        first = f"  {name:{names}}  {kind:{types}}  {description}".rstrip()
        below = " " * (2 + names + 2 + types + 2)
        yield from textwrap.wrap(first, width, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)


def _ports(ports: Ports) -> list[tuple[str, str, str]]:
    entries = [_port(port) for port in ports.ports]
    match ports.rule:
        case "fixed":
            pass
        case "each":
            entries.append(("…", "any", f"One port for each element of {_place(ports.pointer)}."))
        case "any" if ports.passthrough:
            entries.append(("…", "any", "Every input comes out again under its name."))
        case "any":
            entries.append(("…", "any", "Every name is a port."))
        case "signature":
            entries.append(("…", "any", f"The ports of the workflow in {_place(ports.pointer)}."))
    return entries


def _port(port: Port) -> tuple[str, str, str]:
    notes = [
        note
        for note, holds in (
            ("Required.", port.required),
            ("Takes the values of all its connections as a list.", port.multiple),
            ("The first value that comes counts.", port.join == "first"),
        )
        if holds
    ]
    return (
        port.name,
        schema_words(port.schema),
        " ".join(filter(None, (port.description, *notes, _default(port.schema)))),
    )


def _fields(schema: Schema) -> list[tuple[str, str, str]]:
    if not isinstance(schema, Mapping):
        return []
    required = schema.get("required", ())
    entries = []
    for name, part in schema.get("properties", {}).items():
        told: Mapping[str, Any] = part if isinstance(part, Mapping) else {}
        notes = (told.get("description", ""), "Required." if name in required else "", _default(part))
        entries.append((name, schema_words(part), " ".join(filter(None, notes))))
    return entries


def _default(schema: Schema) -> str:
    given, value = default_of(schema)
    return f"Default: {write_json(value)}" if given else ""


def _place(pointer: str) -> str:
    return f"config{pointer.replace('/', '.')}"


def _effects(node_type: NodeType) -> str:
    effects = node_type.effects
    if isinstance(effects, EffectsByConfig):
        values = ", ".join(map(write_json, effects.read))
        return f"read when {_place(effects.pointer)} is {values}, else {effects.otherwise}"
    return effects


def _retries(node_type: NodeType) -> str:
    policy = resolve_retry_policy(None, node_type.retry_policy)
    if policy.max_attempts == 1:
        return "none, unless the node's retry_policy says so"
    first, longest = duration_text(policy.delay_ms), duration_text(policy.max_delay_ms)
    return (
        f"{policy.max_attempts} attempts in all, the first again after {first}, "
        f"each later one after {policy.backoff_multiplier:g} times as long, {longest} at most"
    )


def _snippet(node_type: NodeType, example: Mapping[str, Any]) -> str:
    """The example as a node of a workflow document."""
    node: dict[str, Any] = {"id": node_type.id.rpartition(".")[2], "node_type": node_type.id}
    node.update({name: example[name] for name in ("config", "inputs") if example.get(name)})
    return write_json(node, indent=2)
