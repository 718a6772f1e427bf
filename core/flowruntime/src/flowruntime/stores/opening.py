"""Database URLs: what `--db` and `Runtime(db=…)` take."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from flowcore.contracts import Store
from flowcore.errors import StoreError

from flowruntime.stores.memory import MemoryStore
from flowruntime.stores.places import default_database

__all__ = ["MEMORY", "default_url", "store_for"]

#: The URL of the store that keeps nothing.
MEMORY: Final = "memory:"
_SQLITE: Final = "sqlite:///"
_FORMS: Final = "Write sqlite:///relative/path.db, sqlite:////absolute/path.db or memory:."


def default_url() -> str:
    """The URL of the default database."""
    return f"{_SQLITE}{quote(str(default_database()))}"


def store_for(url: str, *, read_only: bool = False) -> Store:
    """The store that a URL names, not open yet. `read_only` makes no file.

    A relative path is one from the working directory of this moment. `?synchronous=normal` lets SQLite write faster,
    and lose the last moments when the power goes. Raises StoreError for what is no such URL.
    """
    if url == MEMORY:
        return MemoryStore()
    if not url.startswith(_SQLITE):
        raise StoreError(f"The database URL {url!r} is not one of ours.", code="store.url", remedy=_FORMS)
    path, _, query = url.removeprefix(_SQLITE).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if not path or path.endswith("/"):
        raise StoreError(f"The database URL {url!r} names no file.", code="store.url", remedy=_FORMS)
    if options or (synchronous not in ("full", "normal")):
        raise StoreError(
            f"The database URL {url!r} has an option that there is not.",
            code="store.url",
            remedy="The option is synchronous=full or synchronous=normal.",
        )
    from pathlib import Path

    from flowruntime.stores.sqlite import SqliteStore  # brings sqlite3, which memory does without

    file = Path(unquote(path)).absolute()
    return SqliteStore(
        file,
        synchronous="normal" if synchronous == "normal" else "full",
        read_only=read_only,
        make_folder=file == default_database(),
    )
