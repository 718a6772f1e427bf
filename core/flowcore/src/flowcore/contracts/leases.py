"""Who runs an execution: leases, which keep two engines from running the same one.

```
            register ──► Registered ──► keep_alive (every 10 s) ──► … ──► leave
                              │
  create(owner=…), claim ─────┴──► the execution's token: every append carries it, a claim makes it one greater
```

A lease is void when its owner left, when its owner's process is gone (on the same host, at once), or when it was not
renewed for `lease_seconds` of the store's clock. Whoever then claims the execution gets a greater token, and whatever
the former owner still appends is refused with `lease.lost`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flowcore.events import ExecutionId

__all__ = ["Claim", "Owner", "Registered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs executions.

    `is_given` says that a user gave the name, so that only one live process may have it. `process_start` tells apart
    processes that had the same pid: on Linux clock ticks since boot, elsewhere seconds since the epoch.
    """

    name: str
    is_given: bool
    host: str
    boot_id: str
    pid: int
    process_start: int


class Registered(NamedTuple):
    """An owner that the store knows: its number there, which leases refer to."""

    number: int
    owner: Owner


class Claim(NamedTuple):
    """An execution that was taken over: what its next append has to carry.

    `seq` is its latest event; `cancel_requested` says that somebody wants it to end.
    """

    execution_id: ExecutionId
    token: int
    seq: int
    cancel_requested: bool
