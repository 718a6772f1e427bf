"""The checks of what a pack says about itself: metadata, catalog, descriptions, schemas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from flowcore.nodes import NodeType, Port
from flowcore.packs import CATALOG_FILE
from flowcore.schemas import Schema, with_defaults

from flowruntime.plan.schemas import SchemaCache
from flowruntime.testing.suite.finding import Fault
from flowruntime.testing.suite.subject import PackSubject, TypeSubject

__all__ = ["catalog", "descriptions", "metadata", "schemas", "unknown_keys"]

_RESERVED_PORTS: Final = {"inputs": {"after"}, "outputs": {"done", "error"}}
_SURPLUS: Final = "a_key_that_there_is_not"
#: Of the difference between two catalogs.
_SHOWN_LINES: Final = 6


async def metadata(subject: PackSubject) -> AsyncIterator[Fault]:
    """The distribution says what it is, and what it needs."""
    wanted = {
        "version": 'version = "0.1.0"',
        "description": 'description = "What its nodes are for"',
        "license": 'license = "MIT"',
        "requires-python": 'requires-python = ">=3.11"',
    }
    dynamic = subject.metadata.get("dynamic", [])
    for key, example in wanted.items():
        if not subject.metadata.get(key) and key not in dynamic:
            yield Fault(
                place="pyproject.toml",
                message=f"[project] says no {key!r}.",
                remedy=f"Write {example}.",
            )
    names = [re.split(r"[^\w.-]", item, maxsplit=1)[0] for item in subject.metadata.get("dependencies", [])]
    if "dependencies" not in dynamic and not {"flowruntime", "flownodes"} & set(names):
        yield Fault(
            place="pyproject.toml",
            message="The dependencies do not name flowruntime, which every pack imports.",
            remedy='Write dependencies = ["flowruntime>=0.1"].',
        )
    if not (subject.package / "py.typed").is_file():
        yield Fault(
            place=subject.package.name,
            message="There is no file py.typed, so type checkers pass the package's types over.",
            remedy=f"Put an empty file py.typed beside {subject.package.name}/__init__.py.",
        )


async def catalog(subject: PackSubject) -> AsyncIterator[Fault]:
    """The committed catalog is what the code says."""
    changes = [line for line in subject.catalog_diff if line[0] in "+-" and line[:3] not in ("+++", "---")]
    if subject.catalog_diff:
        more = len(changes) - _SHOWN_LINES
        shown = [*changes[:_SHOWN_LINES], *([f"… and {more} lines more"] if more > 0 else [])]
        yield Fault(
            place=CATALOG_FILE,
            message="\n".join(["The committed catalog (-) is not what the code says (+):", *shown, ""]),
            remedy="Run `flow pack build` and commit it.",
        )


async def descriptions(subject: TypeSubject) -> AsyncIterator[Fault]:
    """Type, ports and config fields say what they are for."""
    node_type = subject.node_type
    texts = {"title": node_type.title, "description": node_type.description, "category": node_type.category}
    for name, text in texts.items():
        if not text.strip():
            remedy = f'Write {name}="…" in @node.'
            if name == "description":
                remedy = "Write it as the first line of the docstring, or as description= in @node."
            yield Fault(place="@node", message=f"It has no {name}.", remedy=remedy)
    for side, ports in _sides(node_type):
        for port in ports:
            if not port.description.strip():
                yield Fault(
                    place=f"{side[:-1]} port {port.name!r}",
                    message="It has no description.",
                    remedy='Annotate it: Annotated[str, "What it is."], or give Port(…, description=…).',
                )
    for place, field in _fields(node_type.config_schema, ""):
        if not str(field.get("description", "")).strip():
            yield Fault(
                place=f"config field {place}",
                message="It has no description.",
                remedy='Annotate it: Annotated[int, "What it is."], or write "description" in the schema.',
            )
    if node_type.stability == "deprecated" and node_type.deprecation is None:
        yield Fault(
            place="@node",
            message="It is deprecated and does not say since when.",
            remedy='Write deprecation=Deprecation(since="1.2", use="…") in @node.',
        )


async def schemas(subject: TypeSubject) -> AsyncIterator[Fault]:
    """Schemas are JSON Schema 2020-12, defaults obey them, names are free."""
    node_type = subject.node_type
    compiled = SchemaCache()
    named: dict[str, Schema] = {"config": node_type.config_schema}
    for side, ports in _sides(node_type):
        named |= {f"{side[:-1]} port {port.name!r}": port.schema for port in ports}
        for name, count in Counter(port.name for port in ports).items():
            if count > 1 or name in _RESERVED_PORTS[side]:
                yield Fault(
                    place=f"{side[:-1]} port {name!r}",
                    message="The name is taken." if count == 1 else f"There are {count} of that name.",
                    remedy="Choose another; `after`, `done` and `error` belong to every node.",
                )
    broken = False
    for place, schema in named.items():
        try:
            compiled.get(schema)
        except ValueError as error:
            broken = True
            yield Fault(
                place=place,
                message=f"Its schema is no JSON Schema 2020-12: {error}.",
                remedy="Correct what the node declares there.",
            )
    if broken:
        return
    for name, field in _properties(node_type.config_schema).items():
        if not isinstance(field, Mapping) or "default" not in field:
            continue
        alone = {**field, "$defs": _definitions(node_type.config_schema)}
        value = with_defaults(alone, field["default"])
        for problem in compiled.get(alone).problems(value, "", "default"):
            yield Fault(
                place=f"config field /{name}",
                message=f"Its default breaks its own schema: {problem.message}",
                remedy="Correct the default, or the schema.",
            )


async def unknown_keys(subject: TypeSubject) -> AsyncIterator[Fault]:
    """A key that the config does not have is refused."""
    try:
        compiled = SchemaCache().get(subject.node_type.config_schema)
    except ValueError:
        return  # the check of schemas tells it
    config = subject.examples[0].config if subject.examples else {}
    filled = with_defaults(subject.node_type.config_schema, config)
    if len(list(compiled.problems({**filled, _SURPLUS: 1}, "", "config"))) <= len(
        list(compiled.problems(filled, "", "config"))
    ):
        yield Fault(
            place="config",
            message="Its schema takes keys that it does not know, so a slip of the pen goes unnoticed.",
            remedy='Write "additionalProperties": false in the schema (forbid_unknown_fields=True in a Struct).',
        )


def _sides(node_type: NodeType) -> list[tuple[str, tuple[Port, ...]]]:
    return [("inputs", node_type.inputs.ports), ("outputs", node_type.outputs.ports)]


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _definitions(schema: Any) -> Mapping[str, Any]:
    found = schema.get("$defs") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _fields(schema: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of an object schema and of those inside it, but none that can hold one value only."""
    if not isinstance(schema, Mapping):
        return
    for name, field in _properties(schema).items():
        if not isinstance(field, Mapping):
            continue
        inner = f"{place}/{name}"
        if "const" not in field and len(field.get("enum", "ab")) > 1:
            yield inner, field
        yield from _fields(field, inner)
    yield from _fields(schema.get("items"), f"{place}/*")
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _fields(branch, place)
    for name, part in _definitions(schema).items():
        yield from _fields(part, f"{place}/$defs/{name}")
