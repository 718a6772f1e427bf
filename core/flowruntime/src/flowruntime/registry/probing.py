"""Looks whether the code of an installed pack is what its catalog says, in a subprocess that may come to harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowcore.errors import PackError
from flowcore.packs import CATALOG_FILE, Catalog, Pack, PackProblem

from flowruntime.registry.cache_files import read_file
from flowruntime.registry.catalogs import read_catalog
from flowruntime.registry.discovery import locate_package
from flowruntime.registry.inspection import inspect_package
from flowruntime.registry.places import absolute_path

__all__ = ["probe_pack"]

_MOST_NAMED = 3


def probe_pack(
    pack: Pack, *, search_path: Sequence[str] | None = None, timeout_seconds: float = 10.0
) -> PackProblem | None:
    """What is wrong with the code of a pack of the registry, None when all is well.

    Imports all of the package in a fresh interpreter, for `timeout_seconds` at most: what raises, exits or hangs is
    found before a workflow meets it. The code is `inspect.…` for that, and `catalog.stale` for a catalog that says
    something else than the code.
    """
    try:
        folder = locate_package(pack, search_path)
        built = inspect_package(pack, search_path=absolute_path(search_path), timeout_seconds=timeout_seconds)
        data = read_file(folder / CATALOG_FILE)
        catalog = Catalog(namespace=pack.namespace, types=()) if data is None else read_catalog(data, pack)
    except PackError as error:
        return PackProblem(
            pack=pack.distribution, stage="inspect", code=error.code, message=error.message, remedy=error.remedy
        )
    found = list(_differences(catalog, built))
    if not found:
        return None
    more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return PackProblem(
        pack=pack.distribution,
        stage="catalog",
        code="catalog.stale",
        message=f"Its catalog is not what its code says: {', '.join(found[:_MOST_NAMED])}{more}.",
        remedy="Run `flow pack build` in its folder."
        if pack.editable
        else f"Update or reinstall {pack.distribution}; its author: run `flow pack build`.",
    )


def _differences(catalog: Catalog, built: Catalog) -> Iterator[str]:
    said = {(one.id, one.version): one.to_json() for one in catalog.types}
    real = {(one.id, one.version): one.to_json() for one in built.types}
    for key in sorted(said.keys() | real.keys()):
        name = f"{key[0]!r}, version {key[1]},"
        if key not in real:
            yield f"{name} is not in the code"
        elif key not in said:
            yield f"{name} is not in the catalog"
        elif said[key] != real[key]:
            yield f"{name} is different"
