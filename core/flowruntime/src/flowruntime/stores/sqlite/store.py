"""The store that keeps everything in one SQLite file. `flowcore.contracts.Store`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flowcore.contracts import Change, Claim, ExecutionRecord, ExecutionSummary, Owner, Page, Registered
from flowcore.errors import StoreError
from flowcore.events import ExecutionId
from flowcore.executions import Status

from flowruntime.stores.sqlite.audit import SqliteAudit
from flowruntime.stores.sqlite.changes import Changes
from flowruntime.stores.sqlite.connecting import BUSY_SECONDS, Synchronous
from flowruntime.stores.sqlite.contents import INLINE_BYTES
from flowruntime.stores.sqlite.database import Database, wall_us
from flowruntime.stores.sqlite.history import History
from flowruntime.stores.sqlite.leases import Leases
from flowruntime.stores.sqlite.library import SqliteLibrary
from flowruntime.stores.sqlite.node_values import SqliteValues
from flowruntime.stores.sqlite.requests import SqliteRequests
from flowruntime.stores.sqlite.schedules import SqliteSchedules
from flowruntime.stores.sqlite.secrets import SqliteSecrets
from flowruntime.stores.sqlite.tokens import SqliteTokens

__all__ = ["SqliteStore"]


class SqliteStore:
    """Everything in one file, WAL mode. One connection writes, another one reads; other processes may do the same.

    `synchronous` is `full`, or `normal` for a store that may lose the last moments when the power goes, and writes
    faster. With `read_only` no file is made and nothing is written, except that an older schema is brought up to date.
    `make_folder` makes the folder of the file when it is missing. Values whose JSON is larger than `inline_bytes` are
    kept once by their hash. A lock of another process is waited for `busy_seconds`. `now_us` is the store's clock, in
    microseconds since the epoch, by which leases run out.
    """

    blocking = True

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: Synchronous = "full",
        read_only: bool = False,
        make_folder: bool = False,
        inline_bytes: int = INLINE_BYTES,
        busy_seconds: float = BUSY_SECONDS,
        now_us: Callable[[], int] = wall_us,
    ) -> None:
        self.path = str(path)
        self._database = database = Database(
            path,
            synchronous=synchronous,
            read_only=read_only,
            make_folder=make_folder,
            inline_bytes=inline_bytes,
            busy_seconds=busy_seconds,
            now_us=now_us,
        )
        self._changes = Changes(database)
        self._history = History(database)
        self._leases = Leases(database)
        self.workflows = SqliteLibrary(database)
        self.values = SqliteValues(database)
        self.requests = SqliteRequests(database)
        self.schedules = SqliteSchedules(database)
        self.tokens = SqliteTokens(database)
        self.secrets = SqliteSecrets(database)
        self.audit = SqliteAudit(database)

    def open(self) -> None:
        """Open the file. Raises StoreError when it cannot be used, and says why."""
        self._database.open()

    def close(self) -> None:
        """Close both connections; what was committed stays."""
        self._database.close()

    # --- executions ---------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Keep all changes in one transaction, which is on the disk when this returns."""
        with self._database.transaction() as connection:
            return self._changes.keep(connection, changes)

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """Events that are on the disk. Raises StoreError with `store.corrupt` for rows that are damaged."""
        return self._history.read(execution_id, after, limit)

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """The execution's documents and status."""
        return self._history.record(execution_id)

    def summary(self, execution_id: ExecutionId) -> ExecutionSummary | None:
        """The line of one execution."""
        return self._history.summary(execution_id)

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """The executions that began last, the newest first."""
        return self._history.executions(before=before, status=status, limit=limit)

    def created_once(self, scope: str, key: str) -> ExecutionId | None:
        """The execution that was created for this."""
        return self._history.created_once(scope, key)

    # --- leases -------------------------------------------------------------------------------------

    def register(self, owner: Owner, *, lease_seconds: float) -> Registered:
        """Make an owner known."""
        return self._leases.register(owner, lease_seconds=lease_seconds)

    def keep_alive(self, number: int) -> bool:
        """Renew the leases of an owner."""
        return self._leases.keep_alive(number)

    def leave(self, number: int) -> None:
        """Give all leases of an owner back."""
        self._leases.leave(number)

    def owners(self) -> list[Registered]:
        """Those that are alive."""
        return self._leases.owners()

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        """Take over what nobody runs."""
        return self._leases.claim(execution_id, owner)

    def release(self, execution_id: ExecutionId, token: int) -> None:
        """Give a lease back."""
        self._leases.release(execution_id, token)

    def unowned(self, *, recovery: str | None = None, limit: int = 1000) -> list[ExecutionId]:
        """What has not ended and nobody runs."""
        return self._leases.unowned(recovery=recovery, limit=limit)

    def quarantine(self, execution_id: ExecutionId, token: int, why: str) -> None:
        """Set an execution aside."""
        self._leases.quarantine(execution_id, token, why)
