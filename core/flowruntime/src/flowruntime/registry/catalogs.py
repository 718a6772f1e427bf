"""Turns a catalog into text and back, and checks that it keeps to its pack's namespace and package."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.errors import PackError, Problem
from flowcore.packs import Catalog, Pack
from flowcore.values import pointer_of, read_json, write_json

__all__ = ["catalog_text", "read_catalog"]


def read_catalog(data: bytes, pack: Pack) -> Catalog:
    """The catalog of this pack, from the content of a `flownodes.json`.

    Raises PackError for one that cannot be used, as a whole: a catalog is generated, what is wrong in one
    place is wrong in how it was made. Its code is `catalog.newer` for a form of the file that this version
    doesn't know.
    """
    parsed = read_json(data)
    _refuse(parsed.problems, pack)
    problems: list[Problem] = []
    catalog = Catalog.read(parsed.value, problems)
    _refuse(problems, pack)
    _refuse(_breaches(catalog, pack), pack)
    return catalog


def catalog_text(catalog: Catalog) -> str:
    """The content of `flownodes.json`: the same text for the same types."""
    return write_json(catalog.to_json(), indent=2) + "\n"


def _breaches(catalog: Catalog, pack: Pack) -> list[Problem]:
    found: list[Problem] = []

    def breach(code: str, pointer: str, message: str) -> None:
        found.append(Problem(code=code, pointer=pointer, message=message, remedy=""))

    if catalog.namespace != pack.namespace:
        breach(
            "catalog.namespace",
            "/namespace",
            f"The namespace is {catalog.namespace!r}, the entry point says {pack.namespace!r}.",
        )
    seen: set[tuple[str, int]] = set()
    for index, node_type in enumerate(catalog.types):
        first, _, rest = node_type.id.partition(".")
        if first != pack.namespace or not rest:
            breach(
                "catalog.namespace",
                pointer_of("types", index, "id"),
                f"The node type {node_type.id!r} is not in the namespace {pack.namespace!r}.",
            )
        if (node_type.id, node_type.version) in seen:
            breach(
                "catalog.duplicate",
                pointer_of("types", index),
                f"The node type {node_type.id!r}, version {node_type.version}, stands there twice.",
            )
        seen.add((node_type.id, node_type.version))
        module, _, name = node_type.implementation.partition(":")
        if not name or not f"{module}.".startswith(f"{pack.package}."):
            breach(
                "catalog.implementation",
                pointer_of("types", index, "implementation"),
                f"{node_type.implementation!r} is not `module:name` inside the package {pack.package!r}.",
            )
    return found


def _refuse(problems: Sequence[Problem], pack: Pack) -> None:
    if not problems:
        return
    first = problems[0]
    place = f" at {first.pointer}" if first.pointer else ""
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    ours = first.code.startswith("catalog.")
    raise PackError(
        f"The catalog cannot be used{place}: {first.message}{others}",
        pack=pack.distribution,
        code=first.code if ours else "catalog.invalid",
        remedy=(first.remedy if first.code == "catalog.newer" else "")
        or f"Update or reinstall {pack.distribution}; its author: run `flow pack build`.",
    )
