"""Who runs which execution of a memory store."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice

from flowcore.contracts import Claim, Owner, Registered
from flowcore.events import ExecutionId

from flowruntime.stores.memory.logs import Logs
from flowruntime.stores.processes import is_gone
from flowruntime.stores.refusals import is_held, is_lost, name_taken, unknown_owner

__all__ = ["Leases"]


class _Registration:
    __slots__ = ("expires_us", "lease_us", "owner")

    def __init__(self, owner: Owner, lease_us: int, now_us: int) -> None:
        self.owner = owner
        self.lease_us = lease_us
        self.expires_us = now_us + lease_us


class Leases:
    """The leases of these logs. The methods are those of `flowcore.contracts.Store`."""

    def __init__(self, logs: Logs, now_us: Callable[[], int]) -> None:
        self._logs = logs
        self._now_us = now_us
        self._numbers = count(1)
        self._owners: dict[int, _Registration] = {}

    def register(self, owner: Owner, *, lease_seconds: float) -> Registered:
        """Make an owner known. Those whose processes are gone are forgotten on the way."""
        for number, other in list(self._owners.items()):
            same = other.owner.name == owner.name and (other.owner.is_given or owner.is_given)
            if same and self._is_alive(number):
                raise name_taken(other.owner)
            # One that only ran out may wake up again; not so when its name is another's now.
            if same or is_gone(other.owner):
                self.leave(number)
        number = next(self._numbers)
        self._owners[number] = _Registration(owner, round(lease_seconds * 1_000_000), self._now_us())
        return Registered(number, owner)

    def keep_alive(self, number: int) -> bool:
        """Renew the leases of an owner."""
        registration = self._get(number)
        now_us = self._now_us()
        was_alive = registration.expires_us > now_us
        registration.expires_us = now_us + registration.lease_us
        return was_alive

    def leave(self, number: int) -> None:
        """Give all leases of an owner back."""
        if self._owners.pop(number, None) is not None:
            for log in self._logs.unfinished.values():
                if log.owner == number:
                    log.owner = 0

    def owners(self) -> list[Registered]:
        """Those that are alive."""
        return [Registered(number, one.owner) for number, one in self._owners.items() if self._is_alive(number)]

    def check(self, number: int) -> None:
        """Raises StoreError for an owner that is not registered."""
        self._get(number)

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        """Take over what nobody runs."""
        log = self._logs.get_unfinished(execution_id)
        self.check(owner)
        # Whose leases ran out may not have noticed yet: nobody takes over from themselves.
        if log.owner == owner or self._is_alive(log.owner):
            raise is_held(execution_id, self._get(log.owner).owner)
        log.owner = owner
        log.token += 1
        if log.status == "quarantined":
            log.status, log.quarantine = "running", None
        return Claim(execution_id, log.token, log.seq, log.cancel_requested)

    def release(self, execution_id: ExecutionId, token: int) -> None:
        """Give a lease back."""
        log = self._logs.unfinished.get(execution_id)
        if log is not None and log.token == token:
            log.owner = 0

    def unowned(self, *, recovery: str | None = None, limit: int = 1000) -> list[ExecutionId]:
        """What has not ended and nobody runs."""
        living = {number for number in self._owners if self._is_alive(number)}
        fitting = (
            execution_id
            for execution_id, log in self._logs.unfinished.items()
            if log.owner not in living and log.status != "quarantined" and recovery in (None, log.recovery)
        )
        return list(islice(fitting, limit))

    def quarantine(self, execution_id: ExecutionId, token: int, why: str) -> None:
        """Set an execution aside."""
        log = self._logs.get_unfinished(execution_id)
        if not log.is_held(token):
            raise is_lost(execution_id)
        log.status, log.quarantine, log.owner = "quarantined", why, 0

    def clear(self) -> None:
        """Forget all owners."""
        self._owners.clear()

    def _get(self, number: int) -> _Registration:
        try:
            return self._owners[number]
        except KeyError:
            raise unknown_owner(number) from None

    def _is_alive(self, number: int) -> bool:
        registration = self._owners.get(number)
        return registration is not None and registration.expires_us > self._now_us() and not is_gone(registration.owner)
