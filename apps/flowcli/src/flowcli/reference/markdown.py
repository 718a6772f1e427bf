"""Renders the reference of node types as Markdown: an index, and a page for each type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowcore.nodes import DEFAULT_TIMEOUT_MS, EffectsByConfig, NodeType, Ports
from flowcore.policies import resolve_retry_policy
from flowcore.schemas import Schema, default_of
from flowcore.values import write_json

from flowcli.durations import duration_text
from flowcli.node_page import schema_words

__all__ = ["INDEX", "Documented", "markdown_pages"]

#: The file name of the index.
INDEX = "README.md"

#: What may stand in one cell of a table.
_Row = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """A node type, and the distribution that brings it."""

    node_type: NodeType
    pack: str


def markdown_pages(types: Iterable[Documented], *, introduction: str, note: str = "") -> dict[str, str]:
    """The text of each page by file name: the index README.md, and `ID.md` for each type.

    Links between them are relative. `note` is a comment that begins every page.
    """
    documented = sorted(types, key=lambda one: one.node_type.id)
    head = [f"<!-- {note} -->", ""] if note else []
    pages = {INDEX: _lines([*head, *_index(documented, introduction)])}
    for one in documented:
        pages[_file_name(one.node_type.id)] = _lines([*head, *_page(one.node_type, one.pack)])
    return pages


def _file_name(type_id: str) -> str:
    """Never a path: an id is the word of a pack."""
    return re.sub(r"[^\w.-]", "_", type_id) + ".md"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _index(types: Sequence[Documented], introduction: str) -> Iterator[str]:
    yield "# Node types"
    yield ""
    yield introduction
    for category in sorted({one.node_type.category for one in types}):
        yield ""
        yield f"## {category or 'Others'}"
        yield ""
        rows = [
            (f"[{one.node_type.id}]({_file_name(one.node_type.id)})", one.node_type.title, one.node_type.description)
            for one in types
            if one.node_type.category == category
        ]
        yield from _table(("type", "title", "what it does"), rows)


def _page(node_type: NodeType, pack: str) -> Iterator[str]:
    yield f"# {node_type.id}"
    yield ""
    if node_type.title or node_type.description:
        title = f"**{node_type.title}.** " if node_type.title else ""
        yield f"{title}{_sentence(node_type.description)}".rstrip()
    if node_type.deprecation is not None:
        instead = f" Use {node_type.deprecation.use}." if node_type.deprecation.use else ""
        yield ""
        yield f"Deprecated since {node_type.deprecation.since}.{instead}"
    if node_type.trigger:
        yield ""
        yield "It is a trigger: it starts workflows."
    for title, side in (("Inputs", node_type.inputs), ("Outputs", node_type.outputs)):
        yield ""
        yield f"## {title}"
        yield ""
        yield from _ports(side)
    yield ""
    yield "## Config"
    yield ""
    yield from _config(node_type.config_schema)
    yield ""
    yield "## How it runs"
    yield ""
    yield from _running(node_type, pack)
    if node_type.examples:
        yield ""
        yield "## Examples"
    for example in node_type.examples:
        yield ""
        yield from _example(node_type, example)


def _sentence(text: str) -> str:
    return f"{text.removesuffix('.')}." if text else ""


def _ports(ports: Ports) -> Iterator[str]:
    if ports.ports:
        rows = []
        for port in ports.ports:
            notes = [port.description]
            notes += ["Required."] * port.required
            notes += ["Takes the values of all its connections as a list."] * port.multiple
            notes += ["The first value that comes counts."] * (port.join == "first")
            rows.append((f"`{port.name}`", schema_words(port.schema), " ".join(filter(None, notes))))
        yield from _table(("port", "type", "what it is"), rows)
        if ports.rule != "fixed":
            yield ""
    match ports.rule:
        case "fixed" if not ports.ports:
            yield "None."
        case "fixed":
            pass
        case "each":
            yield f"One port for each element of `{_place(ports.pointer)}`, named by its `port`."
        case "any":
            yield "Every input comes out again under its name." if ports.passthrough else "Every name is a port."
        case "signature":
            yield f"The ports of the workflow in `{_place(ports.pointer)}`."


def _config(schema: Schema) -> Iterator[str]:
    if not isinstance(schema, Mapping) or not schema.get("properties"):
        yield "None."
        return
    yield from _fields(schema)
    for name, definition in schema.get("$defs", {}).items():
        yield ""
        yield f"`{name}`: {definition.get('description', '')}".rstrip(" :")
        yield ""
        yield from _fields(definition)


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    rows = []
    for name, part in schema["properties"].items():
        told: Mapping[str, Any] = part if isinstance(part, Mapping) else {}
        given, default = default_of(part)
        value = f"`{write_json(default)}`" if given else "required" if name in required else "–"
        rows.append((f"`{name}`", schema_words(part), value, told.get("description", "")))
    yield from _table(("field", "type", "default", "what it does"), rows)


def _running(node_type: NodeType, pack: str) -> Iterator[str]:
    effects = node_type.effects
    if isinstance(effects, EffectsByConfig):
        values = ", ".join(f"`{write_json(value)}`" for value in effects.read)
        told = f"`read` when `{_place(effects.pointer)}` is {values}, else `{effects.otherwise}`"
    else:
        told = f"`{effects}`"
    policy = resolve_retry_policy(None, node_type.retry_policy)
    retries = "none, unless the node's `retry_policy` says so"
    if policy.max_attempts > 1:
        retries = (
            f"{policy.max_attempts} attempts in all, the first again after {duration_text(policy.delay_ms)}, each "
            f"later one after {policy.backoff_multiplier:g} times as long, {duration_text(policy.max_delay_ms)} at most"
        )
    timeout_ms = DEFAULT_TIMEOUT_MS if node_type.timeout_ms is None else node_type.timeout_ms
    yield f"- Effects: {told}"
    yield f"- Retries: {retries}"
    yield f"- Timeout: {duration_text(timeout_ms)} an attempt"
    yield f"- Version {node_type.version}, {node_type.stability}, from the pack `{pack}`"
    if node_type.replaces:
        yield f"- Replaces: {', '.join(f'`{type_id}`' for type_id in node_type.replaces)}"


def _example(node_type: NodeType, example: Mapping[str, Any]) -> Iterator[str]:
    node: dict[str, Any] = {"id": node_type.id.rpartition(".")[2], "node_type": node_type.id}
    node |= {name: example[name] for name in ("config", "inputs") if example.get(name)}
    yield f"{example.get('title') or node_type.title}:"
    yield ""
    yield "```json"
    yield write_json(node, indent=2)
    yield "```"
    if "outputs" in example:
        yield ""
        yield f"gives `{write_json(example['outputs'])}`"
    elif "error" in example:
        yield ""
        yield f"fails with `{example['error']}`"


def _table(head: _Row, rows: Sequence[_Row]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        # What a pack says may have lines; a row of a table is one.
        cells = [" ".join(cell.replace("|", r"\|").split()) for cell in row]
        yield f"| {' | '.join(cells)} |"


def _place(pointer: str) -> str:
    return f"config{pointer.replace('/', '.')}"
