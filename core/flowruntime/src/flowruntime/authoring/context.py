"""What an attempt knows and may say: the `ctx` of every node."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from flowcore.events import NodeEventType, Path
from flowcore.executions import idempotency_key
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.authoring.functions import MOMENT, Moment
from flowruntime.authoring.keeping import NodeStore
from flowruntime.authoring.waiting import Woken
from flowruntime.secrets import Secret

if TYPE_CHECKING:
    import httpx

__all__ = ["Context", "InstanceContext", "NodeEvents", "Run"]


class Run(Protocol):
    """The execution that an attempt belongs to, as its context sees it. The engine provides it."""

    workflow: Workflow
    #: The execution's inputs.
    inputs: dict[str, Value]

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        ...

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """Secrets by name."""
        ...

    @property
    def info(self) -> dict[str, Any]:
        """The part of the expression root `run` that all attempts share."""
        ...

    def emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        """Record something the node says. Called on the loop's thread or on a node's own."""
        ...

    def sources(self, ctx: Context, port: str) -> list[str]:
        """Ids of the nodes whose live connections filled a port, in document order."""
        ...

    def is_cancelled(self, ctx: Context) -> bool:
        """Whether nothing that the attempt still does will count, or soon so. Called on any thread."""
        ...

    def moment_of(self, ctx: Context) -> Moment:
        """What `now()` and `uuid()` answer from in the node's own expressions."""
        ...

    def state(self, ctx: Context) -> dict[str, Value]:
        """A copy of what the node's last attempt left in its state."""
        ...

    def store(self, ctx: Context) -> NodeStore:
        """What the node keeps across executions."""
        ...

    def now_us(self) -> int:
        """The runtime's clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep by the runtime's clock."""
        ...

    def http_client(self) -> httpx.AsyncClient:
        """The pooled client of the runtime."""
        ...


class NodeEvents:
    """What a node says while it runs; each call is an event that followers see live. Safe from any thread."""

    __slots__ = ("_ctx", "_run")

    def __init__(self, run: Run, ctx: Context) -> None:
        self._run = run
        self._ctx = ctx

    def info(self, message: str) -> None:
        """Something worth knowing."""
        self._run.emit(self._ctx, "Info", {"message": str(message)})

    def warning(self, message: str) -> None:
        """Something worth a look."""
        self._run.emit(self._ctx, "Warning", {"message": str(message)})

    def progress(self, percent: float, message: str = "") -> None:
        """How far the node is, from 0 to 100."""
        self._run.emit(self._ctx, "Progress", {"percent": float(percent), "message": str(message)})

    def stdout_line(self, line: str) -> None:
        """A line that a program of the node printed."""
        self._run.emit(self._ctx, "StdoutLine", {"line": str(line)})

    def stderr_line(self, line: str) -> None:
        """A line that a program of the node printed to its error stream."""
        self._run.emit(self._ctx, "StderrLine", {"line": str(line)})


class Context:
    """One attempt of one node.

    `inputs` is `{port: value}` of the ports that have a value; values are shared and must not be changed.
    `config` is the resolved config: an object of the node's config class, or a dict.
    """

    __slots__ = ("_run", "attempt", "config", "inputs", "node_id", "opened_state", "path", "woken")

    def __init__(  # noqa: PLR0917 - one is made for every attempt, and keywords cost
        self, run: Run, path: Path, node_id: str, attempt: int, inputs: dict[str, Value], config: Any
    ) -> None:
        self._run = run
        self.path = path
        self.node_id = node_id
        self.attempt = attempt
        self.inputs = inputs
        self.config = config
        #: Why the attempt goes on after it returned `Wait`; None in its first call.
        self.woken: Woken | None = None
        #: `state`, once the node has looked at it.
        self.opened_state: dict[str, Value] | None = None

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self._run.execution_id

    @property
    def workflow(self) -> Workflow:
        """The document being run, read-only."""
        return self._run.workflow

    @property
    def events(self) -> NodeEvents:
        """Where the node says what it does."""
        return NodeEvents(self._run, self)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this node in this execution."""
        return idempotency_key(self._run.execution_id, self.path, self.node_id)

    @property
    def state(self) -> dict[str, Value]:
        """What this node keeps in this execution, as a dict of JSON to be changed in place.

        It is recorded with the event that ends or suspends the attempt, also when the attempt fails, and is there for
        the next attempt, after a wait and after a crash. An instance's attributes are for what may be lost.
        """
        if self.opened_state is None:
            self.opened_state = self._run.state(self)
        return self.opened_state

    @property
    def store(self) -> NodeStore:
        """What this node keeps across executions, in the runtime's database; `ctx.state` is for one execution."""
        return self._run.store(self)

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should stop: it timed out, or the execution is being stopped.

        For loops on threads; a coroutine gets a cancellation instead.
        """
        return self._run.is_cancelled(self)

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """Secrets by name; a missing one raises KeyError with what to do."""
        return self._run.secrets

    @property
    def http(self) -> httpx.AsyncClient:
        """The runtime's one pooled HTTP client, which checks addresses as the operator said."""
        return self._run.http_client()

    def now(self) -> datetime:
        """The moment by the runtime's clock, UTC."""
        return datetime.fromtimestamp(self._run.now_us() / 1_000_000, UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep by the runtime's clock, which tests move by hand. Ends early when the attempt is cancelled."""
        await self._run.sleep(seconds)

    @property
    def scope(self) -> dict[Any, Any]:
        """The root for bare expressions: `inputs`, `input`, `vars`, `run`; and what `now()` answers from."""
        run = self._run
        return {
            "inputs": self.inputs,
            "input": run.inputs,
            "vars": run.workflow.vars,
            "run": self.run_info,
            MOMENT: run.moment_of(self),
        }

    @property
    def run_info(self) -> dict[str, Any]:
        """The expression root `run`: `execution_id`, `attempt`, `started_at`."""
        return {**self._run.info, "attempt": self.attempt}

    def sources(self, port: str) -> list[str]:
        """Ids of the nodes whose live connections filled a port, in document order."""
        return self._run.sources(self, port)


class InstanceContext:
    """What `initialize` gets: the node's static config fields, resolved."""

    __slots__ = ("config", "node_id", "secrets")

    def __init__(self, *, node_id: str, config: Any, secrets: Mapping[str, Secret]) -> None:
        self.node_id = node_id
        self.config = config
        self.secrets = secrets
