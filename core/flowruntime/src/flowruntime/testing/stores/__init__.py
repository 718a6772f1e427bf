"""The conformance suite of stores: a class of tests for each part, which a store runs by subclassing it.

`StoreSuite` has all of them. A store gives its fixture `store`, and passes when no test fails: `docs/stores.md`.
"""

from __future__ import annotations

import pytest

# Before they are imported, so that a failed assert says what it compared.
pytest.register_assert_rewrite(
    *[
        f"{__name__}.{part}"
        for part in ("access", "executions", "leases", "library", "node_values", "requests", "schedules")
    ]
)

from flowruntime.testing.stores.access import AccessSuite  # noqa: E402
from flowruntime.testing.stores.executions import ExecutionSuite  # noqa: E402
from flowruntime.testing.stores.leases import LeaseSuite  # noqa: E402
from flowruntime.testing.stores.library import LibrarySuite  # noqa: E402
from flowruntime.testing.stores.node_values import ValueSuite  # noqa: E402
from flowruntime.testing.stores.requests import RequestSuite  # noqa: E402
from flowruntime.testing.stores.schedules import ScheduleSuite  # noqa: E402

__all__ = [
    "AccessSuite",
    "ExecutionSuite",
    "LeaseSuite",
    "LibrarySuite",
    "RequestSuite",
    "ScheduleSuite",
    "StoreSuite",
    "ValueSuite",
]


class StoreSuite(ExecutionSuite, LeaseSuite, RequestSuite, LibrarySuite, ValueSuite, ScheduleSuite, AccessSuite):
    """Everything that a store must do."""
