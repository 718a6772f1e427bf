"""What SQLite's errors mean for users: each one as a StoreUnavailable with a cause and a remedy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flowcore.contracts import StoreUnavailable

__all__ = ["fault", "telling_faults"]

#: By SQLite's primary result code: the code, what is wrong with the database, what to do.
_FAULTS: Final = {
    sqlite3.SQLITE_BUSY: ("locked", "is locked by another process", "Wait for that process, or end it."),
    sqlite3.SQLITE_LOCKED: ("locked", "is locked by another connection", "Wait until it has finished."),
    sqlite3.SQLITE_FULL: ("full", "cannot grow: the disk is full", "Make room on that disk."),
    sqlite3.SQLITE_IOERR: ("io", "cannot be read or written", "Check the disk, and whether it is full."),
    sqlite3.SQLITE_READONLY: ("read_only", "cannot be written", "Make the file and its folder writable."),
    sqlite3.SQLITE_PERM: ("read_only", "may not be used", "Make the file and its folder readable and writable."),
    sqlite3.SQLITE_CANTOPEN: (
        "unopened",
        "cannot be opened",
        "Make the file and its folder writable: even to read it, SQLite makes files beside it.",
    ),
    sqlite3.SQLITE_NOTADB: ("foreign", "is a file, but no SQLite database", "Name another file with --db."),
    sqlite3.SQLITE_CORRUPT: ("corrupt", "is damaged", "Restore it from a backup, or name another file with --db."),
}


def fault(error: sqlite3.Error, path: str) -> StoreUnavailable:
    """The error of a database at this path in words. `store.failed` is the code of what nobody has foreseen."""
    # Extended codes say more in their upper bytes.
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    code, what, remedy = _FAULTS.get(primary, ("failed", f"refused what was asked: {error}", "Check the file."))
    return StoreUnavailable(f"The database {path!r} {what}.", code=f"store.{code}", remedy=remedy)


@contextmanager
def telling_faults(path: str) -> Iterator[None]:
    """Raise StoreUnavailable in place of SQLite's own errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(error, path) from error
