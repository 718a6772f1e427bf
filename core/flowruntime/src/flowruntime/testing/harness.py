"""Runs one node on a real engine: its own error comes out, what it said and kept can be looked at, time is the test's.

```python
async def test_a_reminder_comes_after_its_hours(node_harness):
    async with node_harness.open(remind, {"hours": 5}) as node:
        running = await node.start({"text": "call back"})
        await running.until(NodeWaiting)
        node.clock.advance(5 * 3600)
        assert (await running.ended()).outputs == {"result": "call back"}
```
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import anyio
from flowcore.errors import ExecutionError, FatalNodeError, NodeError, RetryableNodeError
from flowcore.events import ErrorObject, Event, NodeEvent, NodeRetrying, NodeWaiting, WorkflowCompleted
from flowcore.executions import ExecutionResult, NodeView
from flowcore.nodes import NodeType
from flowcore.values import Value

from flowruntime.authoring import Definition
from flowruntime.registry import Registry
from flowruntime.runtime import Runtime
from flowruntime.testing.clock import ManualClock, NodeClock
from flowruntime.testing.recording import Record, recorded
from flowruntime.testing.stage import NODE_ID, Answer, declared, document_of, installed, open_stage, with_type

__all__ = ["NodeHarness", "NodeRun", "OpenNode", "RunningNode", "open_type", "run_node"]

_E = TypeVar("_E", bound=Event)
#: A node that has not ended by then, in real time, does not end.
LIMIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """What came of a node: its outputs by port, the events of the execution, and what it left in `ctx.state`."""

    outputs: dict[str, Value]
    events: tuple[Event, ...]
    state: dict[str, Value]
    attempts: int
    result: ExecutionResult

    @property
    def said(self) -> list[str]:
        """The texts of what the node said through `ctx.events`, in order."""
        contents = [event.content for event in self.events if isinstance(event, NodeEvent)]
        return [content.get("message", content.get("line", "")) for content in contents]


class NodeHarness:
    """Makes stages for single nodes. It keeps nothing between them."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry

    async def run(
        self,
        target: object,
        inputs: Mapping[str, Value] | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        http: Answer | None = None,
        clock: ManualClock | None = None,
        signals: Mapping[str, Value] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> NodeRun:
        """Run the function or class decorated with `@node` to its end; delays, sleeps and waits take no time.

        `secrets` are `{name: text}`, for `${{ secrets.NAME }}` and `ctx.secrets`. `http` answers the requests that the
        node makes with `ctx.http`: a function that takes an `httpx.Request` and gives an `httpx.Response`. `signals`
        are sent when the node waits for them. A `clock` of yours is moved by nobody but you. `settings` is the table of
        flow.toml for the pack's namespace.

        Raises what the node raised in its last attempt; for a failure that is not the node's own doing, such as a
        timeout or an output that is no value, a NodeError with the same code. Raises WorkflowInvalid when config or
        inputs do not fit, and TimeoutError when the node has not ended after 30 real seconds.
        """
        async with self.open(target, config, secrets=secrets, http=http, clock=clock, settings=settings) as node:
            return await node.run(inputs, signals=signals)

    @asynccontextmanager
    async def open(
        self,
        target: object,
        config: Mapping[str, Any] | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        http: Answer | None = None,
        clock: ManualClock | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[OpenNode]:
        """A node that can be run several times, with one instance for all, and step by step; shut down at the end."""
        node_type, definition = declared(target)
        registry = self._registry or installed()
        async with open_type(
            registry, node_type, definition, config, secrets=secrets, http=http, clock=clock, settings=settings
        ) as opened:
            yield opened


@asynccontextmanager
async def open_type(
    registry: Registry,
    node_type: NodeType,
    definition: Definition,
    config: Mapping[str, Any] | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    http: Answer | None = None,
    clock: ManualClock | None = None,
    fixed_inputs: Mapping[str, Value] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[OpenNode]:
    """A node of this type. `fixed_inputs` stand in the document, with expressions; others are execution inputs."""
    record = Record()
    types = with_type(registry, node_type, recorded(definition, record))
    time = NodeClock() if clock is None else clock
    document = document_of(node_type, config, inputs=dict(fixed_inputs or {}))
    tables = None if settings is None else {node_type.id.partition(".")[0]: settings}
    async with open_stage(types, clock=time, secrets=secrets, http=http, settings=tables) as runtime:
        yield OpenNode(runtime, document, record, time)


class OpenNode:
    """A node on a stage of its own. `clock` is its time: it stands still while the node is run step by step."""

    def __init__(self, runtime: Runtime, document: dict[str, Any], record: Record, clock: ManualClock) -> None:
        self.clock = clock
        self._runtime = runtime
        self._document = document
        self._record = record

    @property
    def instance(self) -> object:
        """The author's instance of a node class, once it was made; None for a function."""
        return self._record.instance

    async def run(
        self, inputs: Mapping[str, Value] | None = None, *, signals: Mapping[str, Value] | None = None
    ) -> NodeRun:
        """Run it to its end, as `NodeHarness.run` does."""
        flowing = self.clock if isinstance(self.clock, NodeClock) else None
        if flowing is not None:
            flowing.flows = True
        try:
            running = await self.start(inputs)
            while True:
                event = await running.until(NodeRetrying, NodeWaiting, WorkflowCompleted)
                match event:
                    case NodeRetrying(retry_at_us=at_us):
                        _go_to(flowing, at_us)
                    case NodeWaiting(signal=str(name)) if name in (signals or {}):
                        running.signal(name, (signals or {})[name])
                    case NodeWaiting(until_us=int(at_us)):
                        _go_to(flowing, at_us)
                    case NodeWaiting(signal=str(name)):
                        running.cancel()
                        raise ExecutionError(
                            f"The node waits for the signal {name!r}, and nobody sends it.",
                            code="harness.no_signal",
                            remedy=f"Give it: signals={{{name!r}: …}}.",
                        )
                    case _:
                        return await running.ended()
        finally:
            if flowing is not None:
                flowing.flows = False

    async def start(self, inputs: Mapping[str, Value] | None = None) -> RunningNode:
        """Start it, and come back once it is on its way. Time stands still: move `clock` on."""
        execution_id = await self._runtime.submit(self._document, inputs)
        return RunningNode(self._runtime, execution_id, self._record)


class RunningNode:
    """One execution of the node."""

    def __init__(self, runtime: Runtime, execution_id: str, record: Record) -> None:
        self.execution_id = execution_id
        #: What has happened, as far as somebody waited for it.
        self.events: list[Event] = []
        self._runtime = runtime
        self._record = record

    async def until(self, *kinds: type[_E], limit_seconds: float = LIMIT_SECONDS) -> _E:
        """The next event of one of these kinds. `NodeWaiting`: the node waits now.

        Raises LookupError when the execution ends without one, TimeoutError after so many real seconds.
        """
        seq = self.events[-1].seq if self.events else 0
        with _limited(limit_seconds, kinds):
            async for batch in self._runtime.follow(self.execution_id, seq).batches():
                for event in cast("list[Event]", batch):  # a single node makes no gaps
                    self.events.append(event)
                    if isinstance(event, kinds):
                        return event
        names = " or ".join(kind.__name__ for kind in kinds)
        msg = f"The execution ended without {names}; its last event was {self.events[-1]!r}."
        raise LookupError(msg)

    def signal(self, name: str, value: Value = None) -> None:
        """Send what the node waits for. Raises ExecutionError when it does not wait for that."""
        self._runtime.signal(self.execution_id, name, value)

    def cancel(self) -> None:
        """Cancel the execution; `ended` then raises ExecutionError."""
        self._runtime.cancel(self.execution_id)

    async def ended(self, *, limit_seconds: float = LIMIT_SECONDS) -> NodeRun:
        """Wait for the end. Raises what `NodeHarness.run` raises, and ExecutionError when it was cancelled."""
        if not (self.events and isinstance(self.events[-1], WorkflowCompleted)):
            await self.until(WorkflowCompleted, limit_seconds=limit_seconds)
        result = await self._runtime.wait(self.execution_id)
        if result.status == "cancelled":
            raise ExecutionError("The execution was cancelled.", code="execution.cancelled", remedy="")
        if result.error is not None:
            raise self._error(result.error)
        view = self._view()
        return NodeRun(
            outputs=result.node_outputs.get(NODE_ID, {}),
            events=tuple(self.events),
            state=(view and view.state) or {},
            attempts=view.attempt if view else 0,
            result=result,
        )

    @property
    def state(self) -> dict[str, Value]:
        """What the node has left in `ctx.state` so far."""
        view = self._view()
        return (view and view.state) or {}

    def _view(self) -> NodeView | None:
        return self._runtime.snapshot(self.execution_id).nodes.get(((), NODE_ID))

    def _error(self, told: ErrorObject) -> Exception:
        """The exception behind an error object: the node's own, when it raised that one."""
        own = self._record.raised
        if own is not None and (type(own).__name__ == told["type"] or told["code"] == "node.create"):
            return own
        kind: type[NodeError] = RetryableNodeError if told.get("retryable") else FatalNodeError
        return kind(told["message"], code=told["code"], remedy=told["remedy"], details=told["details"])


async def run_node(
    target: object,
    inputs: Mapping[str, Value] | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    clock: ManualClock | None = None,
) -> ExecutionResult:
    """Run a function or class decorated with `@node` as a workflow of its own, with time as it is.

    Its outputs are `result.node_outputs["node"]`.
    Raises WorkflowInvalid when config or inputs do not fit the declaration. A failed node is a failed result.
    """
    node_type, definition = declared(target)
    async with open_stage(with_type(installed(), node_type, definition), clock=clock) as runtime:
        return await runtime.run(document_of(node_type, config), inputs)


def _go_to(clock: NodeClock | None, at_us: int) -> None:
    if clock is not None:
        clock.go_to(at_us)


@contextmanager
def _limited(seconds: float, kinds: tuple[type, ...]) -> Iterator[None]:
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        names = " or ".join(kind.__name__ for kind in kinds)
        msg = f"There was no {names} within {seconds:g} s of real time. Does the node wait for the clock of the test?"
        raise TimeoutError(msg) from None
