"""Takes executions up that nobody runs any more: claims them, reads their logs, and goes on where these end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from flowcore.contracts import Claim, ExecutionRecord
from flowcore.errors import FlowError, StoreError, WorkflowInvalid
from flowcore.events import ExecutionId
from flowcore.executions import ExecutionResult
from flowcore.workflows import Workflow

from flowruntime.engine import Supervisor
from flowruntime.engine.executor import (
    RELEASED,
    ExecutionPast,
    Executor,
    QuarantineError,
    Resumption,
    unfold,
)
from flowruntime.journal import ExecutionLog, Journal
from flowruntime.plan import Library, Plan
from flowruntime.runtime.plans import CompiledWorkflow

if TYPE_CHECKING:
    import httpx

__all__ = ["Recovery"]

_log = logging.getLogger("flowruntime")
_PAGE: Final = 5000
#: The token of whoever takes an execution up for the first time.
_FIRST_RECOVERY: Final = 2
_GONE: Final = "the process that ran it is gone"


class OnFailing(Protocol):
    """What is to be done before an execution fails, if anything: by its workflows by name, and by its origin."""

    def __call__(
        self, plan: Plan, named: Mapping[str, Workflow] | None, origin: Mapping[str, Any] | None, /
    ) -> Callable[[ExecutionResult, ExecutionLog], None] | None: ...


class Recovery:
    """Recovers the executions of one runtime. Used from the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        supervisor: Supervisor,
        compile_closure: Callable[[Workflow, Library | None], CompiledWorkflow],
        on_end: Callable[[CompiledWorkflow], Callable[[ExecutionResult | None], None]],
        on_failing: OnFailing,
        http: Callable[[str], Callable[[], httpx.AsyncClient]],
    ) -> None:
        self._journal = journal
        self._supervisor = supervisor
        self._compile = compile_closure
        self._on_end = on_end
        self._on_failing = on_failing
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()
        #: What was told of those that cannot be taken up, and are still found.
        self._told: set[tuple[ExecutionId, str]] = set()

    def recover(self, execution_ids: Sequence[ExecutionId]) -> None:
        """Take up what nobody runs, in the background. What cannot be taken up is told once, and left."""
        task = asyncio.get_running_loop().create_task(self._recover(execution_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Take nothing up any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def resume(self, execution_id: str, *, accept_packs: bool = False) -> None:
        """Take an execution up, and run it on in the background.

        `accept_packs`: go on with other versions of node types than it began with. Raises ExecutionError for an
        unknown one and one that must not be resumed, StoreError for one that has ended or that somebody runs.
        """
        before = await asyncio.to_thread(self._journal.record, execution_id)
        claim = await self._journal.claim(execution_id)
        try:
            executor = await self._take_up(claim, before, accept_packs=accept_packs)
        except QuarantineError as refused:
            await self._journal.give_back(claim, quarantine=refused.message)
            raise _named(refused, execution_id) from refused
        except StoreError as error:
            is_damaged = error.code == "store.corrupt"
            await self._journal.give_back(claim, quarantine=error.message if is_damaged else None)
            raise
        except BaseException:
            await self._journal.give_back(claim)
            raise
        if executor.lost is not None:  # meanwhile
            raise executor.lost
        self._supervisor.start(executor)
        self._supervisor.take_requests(
            await asyncio.to_thread(self._journal.store.requests.waiting_for, claim.execution_id)
        )

    async def _recover(self, execution_ids: Sequence[ExecutionId]) -> None:
        self._told = {told for told in self._told if told[0] in execution_ids}
        unknown = [execution_id for execution_id in execution_ids if not self._journal.is_open(execution_id)]
        for execution_id in await asyncio.to_thread(self._in_turn, unknown):
            if self._journal.is_open(execution_id):
                continue  # it runs here, or has ended here and is not durable yet
            try:
                await self.resume(execution_id)
            except FlowError as error:
                if error.code not in {"lease.held", "execution.final"}:  # somebody was quicker
                    self._tell(execution_id, error)

    def _tell(self, execution_id: ExecutionId, error: FlowError) -> None:
        if (execution_id, error.code) not in self._told:
            self._told.add((execution_id, error.code))
            _log.warning("Execution %s was not resumed: %s", execution_id, error)

    def _in_turn(self, execution_ids: Sequence[ExecutionId]) -> list[ExecutionId]:
        """Those that had begun, which counted before; then the pending ones by priority. On a thread of its own."""
        ranks: dict[ExecutionId, tuple[bool, int]] = {}
        for execution_id in execution_ids:
            ranks[execution_id] = False, 0
            with contextlib.suppress(FlowError):  # told when it is taken up
                summary = self._journal.store.summary(execution_id)
                if summary is not None and summary.status == "pending":
                    priority = self._journal.record(execution_id).workflow.settings.priority
                    ranks[execution_id] = True, -(priority or 0)
        return sorted(execution_ids, key=ranks.__getitem__)

    async def _take_up(self, claim: Claim, record: ExecutionRecord, *, accept_packs: bool) -> Executor:
        past = await asyncio.to_thread(self._read, claim)
        started = past.started
        if started is None:
            raise StoreError(f"Execution {claim.execution_id!r} has no event 1.", code="store.corrupt")
        compiled = self._compiled(record)
        origin = started.origin
        log = self._journal.reopen(claim)
        on_end = self._on_end(compiled)
        executor = self._supervisor.reopen(
            log,
            compiled.plan,
            compiled.instances,
            started,
            on_end=on_end,
            on_failing=self._on_failing(compiled.plan, record.named, origin),
            http=self._http(origin.get("net", "open")),
        )
        try:
            if not accept_packs:
                _compare(started.types, compiled.plan.types)
            reason = RELEASED if record.status == "quarantined" else _GONE
            if record.status == "quarantined":
                past.release()
            await unfold(executor, past)
        except BaseException:
            self._supervisor.drop(executor)
            on_end(None)
            raise
        # Its creator had token 1, whoever took it up first may have found it pending.
        has_begun = past.view.status != "pending" or claim.token > _FIRST_RECOVERY
        executor.past = Resumption(past, reason, claim.cancel_requested, has_begun)
        return executor

    def _compiled(self, record: ExecutionRecord) -> CompiledWorkflow:
        try:
            return self._compile(record.workflow, _Closure(record.named) if record.named else None)
        except WorkflowInvalid as invalid:
            raise QuarantineError(
                f"Its workflow cannot run here any more: {invalid.message}",
                code="execution.types_changed",
                remedy="Install the packs that it began with, or bring local types with --nodes FILE.",
            ) from invalid

    def _read(self, claim: Claim) -> ExecutionPast:
        """The log. On a thread of its own."""
        past = ExecutionPast(claim.execution_id)
        while past.view.seq < claim.seq:
            events = self._journal.store.read(claim.execution_id, past.view.seq, _PAGE).events
            if not events:
                raise StoreError(
                    f"Execution {claim.execution_id!r} has no event {past.view.seq + 1}.", code="store.corrupt"
                )
            past.take(events)
        return past


class _Closure:
    """The workflows that an execution runs by name, as they were when it began. `flowruntime.plan.Library`."""

    def __init__(self, named: Mapping[str, Workflow]) -> None:
        self._named = named

    def get(self, name: str) -> Workflow | None:
        """The workflow that was found under that name."""
        return self._named.get(name)

    def names(self) -> Sequence[str]:
        """All these names."""
        return list(self._named)


def _compare(then: Mapping[str, int], now: Mapping[str, int]) -> None:
    """Raise QuarantineError when the node types are not those that the execution began with."""
    changed = [
        f"{name!r} was version {version} and is {f'version {now[name]}' if name in now else 'missing'}"
        for name, version in then.items()
        if now.get(name) != version
    ]
    if changed:
        raise QuarantineError(
            f"Node types have changed since it began: {', '.join(changed)}.",
            code="execution.types_changed",
            remedy="Install the versions that it began with, or go on all the same with --accept-packs.",
        )


def _named(refused: QuarantineError, execution_id: str) -> QuarantineError:
    return QuarantineError(
        f"Execution {execution_id!r} is set aside. {refused.message}", code=refused.code, remedy=refused.remedy
    )
