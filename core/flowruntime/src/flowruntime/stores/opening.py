"""Database URLs: what `--db` and `Runtime(db=…)` take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from flowcore.contracts import Store
from flowcore.errors import FlowError, StoreError

from flowruntime.permits import permits_held
from flowruntime.stores.memory import MemoryStore
from flowruntime.stores.places import default_database

__all__ = ["ENTRY_POINT_GROUP", "MEMORY", "default_url", "store_for"]

#: The URL of the store that keeps nothing.
MEMORY: Final = "memory:"
#: Where other distributions say which stores they bring, each by the scheme of its URLs.
ENTRY_POINT_GROUP: Final = "flownodes.stores"
#: Extras of `flownodes` that bring stores, by scheme.
_EXTRAS: Final = {"postgresql": "postgres"}
_SQLITE: Final = "sqlite:///"
_FORMS: Final = "Write sqlite:///relative/path.db, sqlite:////absolute/path.db or memory:."


def default_url() -> str:
    """The URL of the default database."""
    return f"{_SQLITE}{quote(os.fsencode(default_database()))}"


def store_for(url: str, *, read_only: bool = False) -> Store:
    """The store that a URL names, not open yet. `read_only` makes no file.

    A relative path is one from the working directory of this moment. `?synchronous=normal` lets SQLite write faster,
    and lose the last moments when the power goes. Raises StoreError for what is no such URL, and
    for a relative path where the working directory was removed.
    """
    if url == MEMORY:
        return MemoryStore()
    if not url.startswith(_SQLITE):
        return _installed_store(url, read_only=read_only)
    path, _, query = url.removeprefix(_SQLITE).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if path == ":memory:":
        # As others write it; it must not become a file of that name.
        raise StoreError(f"There is no database URL {url!r}.", code="store.url", remedy=f"Write {MEMORY}.")
    if not path or path.endswith("/"):
        raise StoreError(f"The database URL {url!r} names no file.", code="store.url", remedy=_FORMS)
    if options or (synchronous not in ("full", "normal")):
        raise StoreError(
            f"The database URL {url!r} has an option that there is not.",
            code="store.url",
            remedy="The option is synchronous=full or synchronous=normal; write %3F for a ? in the path.",
        )
    from flowruntime.stores.sqlite import SqliteStore  # brings sqlite3, which memory does without

    try:
        file = Path(os.fsdecode(unquote_to_bytes(os.fsencode(path)))).absolute()
    except OSError:
        raise StoreError(
            f"The database URL {url!r} is relative to the working directory, which is not there any more.",
            code="store.no_folder",
            remedy="Go to a folder that is there, or name the file from the root on: sqlite:////absolute/path.db.",
        ) from None
    return SqliteStore(
        file,
        synchronous="normal" if synchronous == "normal" else "full",
        read_only=read_only,
        make_folder=file == _default_file(),
    )


def _default_file() -> Path | None:
    try:
        return default_database()
    except StoreError:
        return None


def _installed_store(url: str, *, read_only: bool) -> Store:
    """The store of a distribution whose entry point in the group `flownodes.stores` has the URL's scheme as its name.

    The entry point is a callable: it takes the URL and `read_only`, and gives a store that is not open yet.
    """
    scheme, colon, _ = url.partition(":")
    from importlib_metadata import entry_points  # dear, and for other stores only

    found = [point for point in entry_points(group=ENTRY_POINT_GROUP) if colon and point.name == scheme]
    permitted = [point for point in found if point.dist is None or permits_held()(point.dist.name)]
    if not permitted:
        remedy = _FORMS
        if found:
            remedy = f"The settings of flow.toml keep {found[0].dist and found[0].dist.name!r} out, which brings it."
        elif scheme in _EXTRAS:
            remedy = f"Install it: pip install 'flownodes[{_EXTRAS[scheme]}]'. {_FORMS}"
        # What stands behind the scheme may be a password.
        shown = repr(url if scheme == "sqlite" or not colon else f"{scheme}:…")
        raise StoreError(f"There is no store for the database URL {shown}.", code="store.url", remedy=remedy)
    try:
        store: Store = permitted[0].load()(url, read_only=read_only)
    except FlowError:
        raise
    except Exception as error:
        raise StoreError(
            f"The store for {scheme!r} URLs cannot be used: {type(error).__name__}: {error}",
            code="store.plugin",
            remedy=f"Reinstall or update {permitted[0].dist.name if permitted[0].dist else 'its distribution'}.",
        ) from error
    return store
