"""The names of a new pack and its node, and why some names cannot be had."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from dataclasses import dataclass
from typing import Final

from flowcore.packs import LOCAL_NAMESPACE, RESERVED_NAMESPACES

from flowcli.usage import UsageError

__all__ = ["FIRST_NODE", "Names", "read_names"]

#: The node of a new pack, when nobody says another.
FIRST_NODE: Final = "hello"
_IDENTIFIER: Final = re.compile(r"[a-z](?:_?[a-z0-9])*")
#: Modules of a pack that are there for something else.
_MODULES: Final = frozenset({"conformance"})
#: What still makes a file name, with all that stands around it.
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """All names that follow from those of a pack and a node."""

    namespace: str
    node: str
    #: What a pack is called that is there already; a new one is called by its namespace.
    own_distribution: str | None = None
    own_package: str | None = None

    @property
    def distribution(self) -> str:
        """What is installed, and the pack's folder."""
        return self.own_distribution or f"flownodes-{self.namespace.replace('_', '-')}"

    @property
    def package(self) -> str:
        """What is imported."""
        return self.own_package or f"flownodes_{self.namespace}"

    @property
    def type(self) -> str:
        """The id of the node type."""
        return f"{self.namespace}.{self.node}"

    @property
    def title(self) -> str:
        """The node's name for people."""
        return _words(self.node)

    @property
    def category(self) -> str:
        """Where lists show the node."""
        return _words(self.namespace)


def read_names(namespace: str, node: str | None) -> Names:
    """The names of a new pack. Raises UsageError for one that cannot be had."""
    return Names(namespace=_namespace(namespace), node=node_name(FIRST_NODE if node is None else node))


def node_name(node: str) -> str:
    """The name of a new node, checked. Raises UsageError."""
    _require_identifier(node, "node", "--node")
    if node in _MODULES or hasattr(builtins, node) or node in sys.stdlib_module_names:
        who = "the tests have" if node in _MODULES else "Python itself has"
        raise UsageError(
            f"The node cannot be called {node!r}: {who} something of that name, which it would hide.",
            code="pack.name",
            remedy=f"Choose another name, such as {node}_text.",
        )
    return node


def _namespace(namespace: str) -> str:
    plain = namespace.removeprefix("flownodes-").removeprefix("flownodes_")
    if plain != namespace:
        raise UsageError(
            f"{namespace!r} begins with what every pack's folder begins with anyway.",
            code="pack.name",
            remedy=f"Write flow pack new {plain}.",
        )
    _require_identifier(namespace, "pack", "flow pack new")
    if namespace in RESERVED_NAMESPACES or namespace == LOCAL_NAMESPACE:
        raise UsageError(
            f"The namespace {namespace!r} is reserved for Flownodes itself.",
            code="pack.reserved",
            remedy="Choose another name, such as that of your company or of the service that the nodes speak to.",
        )
    if namespace in sys.stdlib_module_names:
        raise UsageError(
            f"The pack cannot be called {namespace!r}: a module of Python's standard library has that name.",
            code="pack.name",
            remedy=f"Choose another name, such as {namespace}_nodes.",
        )
    return namespace


def _require_identifier(name: str, what: str, how: str) -> None:
    if len(name) > _LONGEST:
        raise UsageError(
            f"The name of the {what} has {len(name)} letters.",
            code="pack.name",
            remedy=f"Choose one with {_LONGEST} at most.",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise UsageError(
            f"The {what} cannot be called {name!r}: that is a word of Python's own.",
            code="pack.name",
            remedy=f"Choose another name: {how} {name}_it.",
        )
    if not _IDENTIFIER.fullmatch(name):
        made = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        hint = f"{how} {made}" if _IDENTIFIER.fullmatch(made) else f"{how} NAME, such as greet"
        raise UsageError(
            f"The {what} cannot be called {name!r}: "
            "names have lower-case letters and digits, a letter first, and single _ between them.",
            code="pack.name",
            remedy=f"Write {hint}.",
        )


def _words(name: str) -> str:
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
