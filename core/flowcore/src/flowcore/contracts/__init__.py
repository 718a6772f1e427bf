"""What flowruntime expects of stores, clocks and observers, as Protocols that anyone may implement.

A store is one object with a part for each kind of thing that it keeps: `Store` itself keeps executions,
`store.workflows` the library, and so on. Every store passes the same tests, `flowruntime.testing.stores`.
"""

from flowcore.contracts.access import (
    AuditEntry,
    AuditStore,
    EncryptedSecret,
    SecretStore,
    StoredToken,
    TokenStore,
)
from flowcore.contracts.clocks import Clock
from flowcore.contracts.leases import Claim, Owner, Registered
from flowcore.contracts.library import LibraryStore, StoredWorkflow
from flowcore.contracts.node_values import ValueStore
from flowcore.contracts.observers import Observer
from flowcore.contracts.requests import Request, RequestKind, RequestStore
from flowcore.contracts.schedules import Schedule, ScheduleStore
from flowcore.contracts.stores import (
    Change,
    ExecutionRecord,
    ExecutionSummary,
    Page,
    Store,
    StoreUnavailable,
)

__all__ = [
    "AuditEntry",
    "AuditStore",
    "Change",
    "Claim",
    "Clock",
    "EncryptedSecret",
    "ExecutionRecord",
    "ExecutionSummary",
    "LibraryStore",
    "Observer",
    "Owner",
    "Page",
    "Registered",
    "Request",
    "RequestKind",
    "RequestStore",
    "Schedule",
    "ScheduleStore",
    "SecretStore",
    "Store",
    "StoreUnavailable",
    "StoredToken",
    "StoredWorkflow",
    "TokenStore",
    "ValueStore",
]
