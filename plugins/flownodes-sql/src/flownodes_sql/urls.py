"""Reads the URL of a database, and never shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from flowruntime.authoring import FatalNodeError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["Address", "Kind", "read_url"]

Kind: TypeAlias = Literal["sqlite", "postgresql"]

_KINDS: Final[dict[str, Kind]] = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgres": "postgresql",  # as many hosts of databases write it
}
#: What may stand behind the `?` for PostgreSQL. Not `host`, `hostaddr`, `port` or `service`, which would say another
#: place than the one that was checked, nor the names of files.
_OPTIONS: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "options",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "target_session_attrs",
    }
)
_FORMS: Final = (
    "Write sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user:password@host/database"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A database that can be had."""

    kind: Kind
    url: URL

    @property
    def path(self) -> str:
        """Of SQLite the file; empty for a database in memory."""
        return "" if self.url.database in {None, "", ":memory:"} else str(self.url.database)

    @property
    def host(self) -> str:
        """Of PostgreSQL where its server is: `host:port`; the host is empty for the socket on this machine."""
        return f"{self.url.host or ''}:{self.url.port or 5432}"


def read_url(text: str) -> Address:
    """The database that a URL names. Raises FatalNodeError, whose text has nothing of the URL.

    >>> read_url("postgres://ada:secret@db.example.com/sales").host
    'db.example.com:5432'
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _wrong("is none", f"{_FORMS}; other characters than letters and digits in a password as %XX.") from None
    kind = _KINDS.get(url.drivername)
    if kind is None:
        raise _wrong("is for another kind of database", f"{_FORMS}.")
    options = _OPTIONS if kind == "postgresql" else frozenset()
    if kind == "postgresql" and text.count("@") > 1:  # else what stands behind the first would be taken for the host
        raise _wrong("has more than one @", "Write a @ in a password, as in every other part, as %40.")
    if url.query.keys() - options:  # not named: they may be a part of a password that has a ? in it
        known = f"There are {', '.join(sorted(options))}" if options else "For SQLite there are none"
        raise _wrong("has options that there are not", f"{known}; a ? in a password is written %3F.")
    if kind == "sqlite":
        if url.host or (url.database or "").startswith("file:"):
            raise _wrong("names no file", "Write sqlite:///relative/path.db or sqlite:////absolute/path.db.")
        return Address(kind=kind, url=url)
    return Address(kind=kind, url=url.set(drivername="postgresql+psycopg"))


def _wrong(what: str, remedy: str) -> FatalNodeError:
    return FatalNodeError(f"The URL of the database {what}.", code="sql.url", remedy=remedy)
