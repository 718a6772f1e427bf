"""Writes and checks the catalogs of a pack project: what `flow pack build [--check]` does."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from flowcore.errors import PackError
from flowcore.nodes import NodeType
from flowcore.packs import CATALOG_FILE, Pack, namespace_fault
from flowcore.schemas import Schema, with_defaults
from flowcore.values import kind_of

from flowruntime.plan.schemas import CompiledSchema, SchemaCache
from flowruntime.registry.catalogs import catalog_text
from flowruntime.registry.discovery import ENTRY_POINT_GROUP
from flowruntime.registry.inspection import inspect_package
from flowruntime.registry.places import absolute_path
from flowruntime.registry.settings import normalized

__all__ = ["check_catalog", "packs_of", "write_catalog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """A catalog from the code, and the file that it belongs into."""

    file: Path
    text: str


def write_catalog(project: Path, *, timeout_seconds: float = 10.0) -> tuple[Path, ...]:
    """Write the catalog of every pack of a project beside the `__init__.py` of its package; gives the files.

    `project` is the folder of the pyproject.toml. A fresh interpreter imports the package from its sources,
    for `timeout_seconds` at most. Raises PackError when there is no pack, its code cannot be imported or
    makes no catalog, a schema is no JSON Schema 2020-12, or the config of an example breaks its schema; then
    nothing is written.
    """
    built = list(_build(project, timeout_seconds))
    for one in built:
        one.file.write_text(one.text, encoding="utf-8", newline="\n")
    return tuple(one.file for one in built)


def check_catalog(project: Path, *, timeout_seconds: float = 10.0) -> list[str]:
    """The lines of a unified diff from the committed catalogs to what the code says; none when they agree.

    Raises PackError as `write_catalog` does. Writes nothing.
    """
    lines: list[str] = []
    for one in _build(project, timeout_seconds):
        committed = one.file.read_text(encoding="utf-8", errors="replace") if one.file.exists() else ""
        name = one.file.relative_to(project.absolute()).as_posix()
        lines += difflib.unified_diff(
            committed.splitlines(),
            one.text.splitlines(),
            f"{name} (committed)",
            f"{name} (from the code)",
            lineterm="",
        )
    return lines


def _build(project: Path, timeout_seconds: float) -> Iterator[_Built]:
    for pack, folder in packs_of(project.absolute()):
        search_path = [str(folder.parent), *absolute_path(None)]
        catalog = inspect_package(pack, search_path=search_path, timeout_seconds=timeout_seconds)
        for node_type in catalog.types:
            _check_schemas(node_type, pack)
        yield _Built(file=folder / CATALOG_FILE, text=catalog_text(catalog))


def packs_of(project: Path) -> Iterator[tuple[Pack, Path]]:
    """The packs that a project's pyproject.toml declares, each with the folder of its package."""
    file = project / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _refuse(
            project.name,
            "project",
            f"There is no {file}.",
            "Run it in the folder of the pack's pyproject.toml.",
        )
    except (OSError, ValueError) as error:
        _refuse(project.name, "project", f"{file} cannot be read: {error}", "Correct the file there.")
    metadata = _table(table, "project")
    name = str(metadata.get("name", project.name))
    points = _table(_table(metadata, "entry-points"), ENTRY_POINT_GROUP)
    if not points:
        _refuse(
            name,
            "project",
            f"{file} declares no pack.",
            f'Add: [project.entry-points.{ENTRY_POINT_GROUP}] with namespace = "package".',
        )
    for namespace, package in points.items():
        fault = namespace_fault(namespace, normalized(name))
        if fault is not None:
            _refuse(name, "namespace", fault, f"Choose another namespace in {file}.")
        folders = [project / "src" / str(package), project / str(package)]
        folder = next((folder for folder in folders if (folder / "__init__.py").is_file()), None)
        if folder is None:
            _refuse(
                name,
                "project",
                f"The entry point {namespace!r} names the package {package!r}, but there is no such top-level package.",
                f"Put it at {folders[0] / '__init__.py'}.",
            )
        version = metadata.get("version", "0")
        yield (
            Pack(distribution=name, version=version, namespace=namespace, package=package, editable=True),
            folder,
        )


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = table.get(key)
    return inner if isinstance(inner, dict) else {}


def _check_schemas(node_type: NodeType, pack: Pack) -> None:
    compiled = SchemaCache()  # the plan's own: what it refuses must not get into a catalog
    schemas: dict[str, Schema] = {"config": node_type.config_schema}
    for side, ports in (("inputs", node_type.inputs), ("outputs", node_type.outputs)):
        schemas |= {f"{side} {port.name!r}": port.schema for port in ports.ports}
    for place, schema in schemas.items():
        try:
            compiled.get(schema)
        except ValueError as error:
            _refuse(
                pack.distribution,
                "schema",
                f"The {place} schema of the node type {node_type.id!r} is no JSON Schema 2020-12: {error}",
                f"Correct what {node_type.implementation} declares.",
            )
    _check_examples(node_type, compiled.get(node_type.config_schema), pack)


def _check_examples(node_type: NodeType, schema: CompiledSchema, pack: Pack) -> None:
    for index, example in enumerate(node_type.examples):
        if not isinstance(example, dict):
            faults = [f"it is {kind_of(example)}, not an object"]
        else:
            config = with_defaults(node_type.config_schema, example.get("config", {}))
            faults = [
                f"its config breaks the schema: {problem.message}" for problem in schema.problems(config, "", "config")
            ]
        if faults:
            _refuse(
                pack.distribution,
                "example",
                f"Example {index + 1} of the node type {node_type.id!r} is not valid: {faults[0]}",
                f"Correct what {node_type.implementation} declares.",
            )


def _refuse(pack: str, what: str, message: str, remedy: str) -> NoReturn:
    raise PackError(message, pack=pack, code=f"build.{what}", remedy=remedy)
