"""Writes docs/nodes, a page for every node type, from the committed catalogs: `python docs/build_nodes.py [--check]`.

With --check nothing is written: the pages that are not what the catalogs say are named, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowcli.durations import duration_text
from flowcli.node_page import schema_words
from flowcore.errors import Problem
from flowcore.nodes import DEFAULT_TIMEOUT_MS, EffectsByConfig, NodeType, Ports
from flowcore.packs import CATALOG_FILE, Catalog
from flowcore.policies import resolve_retry_policy
from flowcore.schemas import Schema, default_of
from flowcore.values import read_json, write_json

__all__ = ["main", "pages"]

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "docs" / "nodes"
_NOTE = "<!-- Written by docs/build_nodes.py from the pack's catalog. -->"

#: What may stand in one cell of a table.
_Row = Sequence[str]


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; gives the exit code."""
    wanted = pages(_ROOT)
    there = {path.name: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.md")}
    changed = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if "--check" in arguments:
        for name in changed:
            print(f"docs/nodes/{name} is not what the catalogs say. Run: python docs/build_nodes.py")
        return 1 if changed else 0
    for name in changed:
        if name in wanted:
            (_FOLDER / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (_FOLDER / name).unlink()
    return 0


def pages(root: Path) -> dict[str, str]:
    """The text of each page by file name, for all packs of a source tree. Raises ValueError for a broken catalog."""
    found: dict[str, tuple[NodeType, str]] = {}
    for file in sorted([*root.glob(f"*/src/*/{CATALOG_FILE}"), *root.glob(f"plugins/*/src/*/{CATALOG_FILE}")]):
        problems: list[Problem] = []
        catalog = Catalog.read(read_json(file.read_bytes()).value, problems)
        if problems:
            msg = f"{file}: {problems[0]}"
            raise ValueError(msg)
        distribution = file.parent.name.replace("_", "-")
        # Of several versions of a type the newest has the page.
        newest = sorted(catalog.types, key=lambda node_type: node_type.version)
        found |= {node_type.id: (node_type, distribution) for node_type in newest}
    types = dict(sorted(found.items()))
    texts = {f"{type_id}.md": _lines(_page(node_type, pack)) for type_id, (node_type, pack) in types.items()}
    return {"README.md": _lines(_index([node_type for node_type, _ in types.values()])), **texts}


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _index(types: Sequence[NodeType]) -> Iterator[str]:
    yield _NOTE
    yield ""
    yield "# Node types"
    yield ""
    yield "Those of the packs in this repository. `flow nodes` lists what is installed where you are."
    categories = sorted({node_type.category for node_type in types})
    for category in categories:
        yield ""
        yield f"## {category or 'Others'}"
        yield ""
        rows = [
            (f"[{node_type.id}]({node_type.id}.md)", node_type.title, node_type.description)
            for node_type in types
            if node_type.category == category
        ]
        yield from _table(("type", "title", "what it does"), rows)


def _page(node_type: NodeType, pack: str) -> Iterator[str]:
    yield _NOTE
    yield ""
    yield f"# {node_type.id}"
    yield ""
    yield f"**{node_type.title}.** {node_type.description.removesuffix('.')}."
    if node_type.deprecation is not None:
        instead = f" Use {node_type.deprecation.use}." if node_type.deprecation.use else ""
        yield ""
        yield f"Deprecated since {node_type.deprecation.since}.{instead}"
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


def _table(head: _Row, rows: Sequence[_Row]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def _place(pointer: str) -> str:
    return f"config{pointer.replace('/', '.')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
