"""Packs: a catalog of node types with its namespace, and the records of what went wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from flowcore.errors import Problem
from flowcore.nodes import NodeType
from flowcore.values import ObjectReader

__all__ = [
    "CATALOG_FILE",
    "CATALOG_VERSION",
    "LOCAL_NAMESPACE",
    "RESERVED_NAMESPACES",
    "Catalog",
    "Pack",
    "PackProblem",
    "Stage",
    "namespace_fault",
]

#: The catalog lies beside the package's `__init__.py` under this name.
CATALOG_FILE = "flownodes.json"
#: The newest form of the catalog file this version reads.
CATALOG_VERSION = 1

#: Namespaces that belong to the distribution `flownodes-<name>` alone.
RESERVED_NAMESPACES = frozenset({"control", "debug", "http", "transform", "time", "files", "sql", "wasm", "shell"})
#: The namespace of node types given as files or objects; no distribution may claim it.
LOCAL_NAMESPACE = "local"

#: At which step of its life a pack failed.
Stage: TypeAlias = Literal["discover", "catalog", "inspect", "import", "create"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The committed `flownodes.json` of a pack."""

    namespace: str
    types: tuple[NodeType, ...]

    @classmethod
    def read(cls, value: Any, problems: list[Problem]) -> Catalog:
        """A catalog from JSON; faults become problems."""
        reader = ObjectReader(value, "", problems, what="A catalog")
        version = reader.integer("catalog", minimum=1)
        if isinstance(version, int) and version > CATALOG_VERSION:
            reader.problem(
                "catalog",
                f"The catalog has form {version}, this version of Flownodes reads up to {CATALOG_VERSION}.",
                "Update flownodes.",
                code="catalog.newer",
            )
        items = reader.items("types")
        catalog = cls(
            namespace=reader.text("namespace", empty=False) or "",
            types=tuple(NodeType.read(item, f"/types/{index}", problems) for index, item in enumerate(items)),
        )
        reader.finish()
        return catalog

    def to_json(self) -> dict[str, Any]:
        """The catalog as it is committed: types sorted by id and version."""
        types = sorted(self.types, key=lambda node_type: (node_type.id, node_type.version))
        return {
            "catalog": CATALOG_VERSION,
            "namespace": self.namespace,
            "types": [node_type.to_json() for node_type in types],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """An installed pack: which distribution gives which namespace from which package."""

    distribution: str
    version: str
    namespace: str
    package: str
    editable: bool = False

    def to_json(self) -> dict[str, Any]:
        """The pack as `--json` gives it."""
        return {
            "distribution": self.distribution,
            "version": self.version,
            "namespace": self.namespace,
            "package": self.package,
            "editable": self.editable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PackProblem:
    """Why a pack, or a part of it, is not usable. All else works on."""

    pack: str
    stage: Stage
    code: str
    message: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """The record as `--json` gives it."""
        return {
            "pack": self.pack,
            "stage": self.stage,
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        return f"{self.pack}: {self.message} {self.remedy} [{self.code}]"


def namespace_fault(namespace: str, distribution: str) -> str | None:
    """Why a distribution may not claim a namespace, None when it may.

    >>> namespace_fault("http", "evil-pack")
    "The namespace 'http' belongs to the distribution 'flownodes-http'."
    """
    if namespace == LOCAL_NAMESPACE:
        return f"The namespace {LOCAL_NAMESPACE!r} is for node types given as files; no pack may claim it."
    if namespace in RESERVED_NAMESPACES and distribution.replace("_", "-").lower() != f"flownodes-{namespace}":
        return f"The namespace {namespace!r} belongs to the distribution {f'flownodes-{namespace}'!r}."
    if not namespace.isidentifier() or not namespace.islower():
        return f"The namespace {namespace!r} is no lower-case identifier."
    return None
