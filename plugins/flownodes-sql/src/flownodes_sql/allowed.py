"""Says which databases nodes may use, as the operator does in the table [sql] of flow.toml."""

from __future__ import annotations

import os
from pathlib import Path

from flowruntime.authoring import FatalNodeError, OperatorSettings, operator_settings
from msgspec import Struct

from flownodes_sql.urls import Address

__all__ = ["SqlSettings", "is_confined", "require_allowed"]


class SqlSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [sql]. Where workflows of others run, what it does not name is refused; elsewhere what it says holds.

    `sqlite_folders`: SQLite files may lie in them, at any depth. `postgresql_hosts`: `host:port`.
    """

    sqlite_folders: list[str] | None = None
    postgresql_hosts: list[str] | None = None


def is_confined() -> bool:
    """Whether SQLite files may be in some folders only: then a statement must not reach for other files."""
    settings = operator_settings("sql", SqlSettings)
    return settings.values.sqlite_folders is not None or settings.serves_others


def require_allowed(address: Address) -> None:
    """Raise FatalNodeError for a database that the operator has not allowed, with the line that would."""
    settings = operator_settings("sql", SqlSettings)
    if address.kind == "sqlite":
        _require_folder(address, settings)
    else:
        _require_host(address, settings)


def _require_folder(address: Address, settings: OperatorSettings[SqlSettings]) -> None:
    folders = settings.values.sqlite_folders
    if not address.path or (folders is None and not settings.serves_others):
        return
    file = Path(os.path.realpath(address.path))
    roots = [Path(os.path.realpath(Path(settings.folder, os.path.expanduser(folder)))) for folder in folders or ()]  # noqa: PTH111
    if not any(file.is_relative_to(root) for root in roots):
        raise _refused(f"The SQLite file {str(file)!r}", f'sqlite_folders = ["{file.parent}"]', settings)


def _require_host(address: Address, settings: OperatorSettings[SqlSettings]) -> None:
    hosts = settings.values.postgresql_hosts
    if hosts is None and not settings.serves_others:
        return
    if address.host.lower() not in {host.lower() for host in hosts or ()}:
        raise _refused(f"The PostgreSQL server {address.host!r}", f'postgresql_hosts = ["{address.host}"]', settings)


def _refused(what: str, line: str, settings: OperatorSettings[SqlSettings]) -> FatalNodeError:
    return FatalNodeError(
        f"{what} is not among the databases that nodes may use here.",
        code="sql.not_allowed",
        remedy=f"To allow it, write under [sql] in {settings.where}: {line}",
    )
