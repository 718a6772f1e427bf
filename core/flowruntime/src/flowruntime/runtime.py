"""The runtime: the one object through which Python programs check, run, watch and cancel workflows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import anyio
import anyio.abc
from flowcore.contracts import Clock
from flowcore.documents import read_execution_inputs
from flowcore.errors import InstallationError, Problem, StoreError, WorkflowInvalid
from flowcore.events import Event, ExecutionId
from flowcore.executions import Execution, ExecutionResult
from flowcore.schemas import with_defaults
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.clock import SystemClock
from flowruntime.engine import Supervisor
from flowruntime.engine.attempt import Instances
from flowruntime.engine.executor import Executor
from flowruntime.journal import HistoryGap, Journal
from flowruntime.plan import Checked, Plan, SchemaCache, check_workflow, require_plan
from flowruntime.registry import Registry
from flowruntime.secrets import EnvironmentSecrets
from flowruntime.stores import MemoryStore

if TYPE_CHECKING:
    import httpx

__all__ = ["Document", "HistoryGap", "Runtime"]

#: A workflow in any form: the JSON text, the parsed JSON, or the immutable object.
Document: TypeAlias = str | bytes | dict[str, Any] | Workflow

_KEPT_PLANS = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Compiled:
    plan: Plan
    instances: Instances


class Runtime:
    """Runs workflows.

    ```python
    async with Runtime() as runtime:
        result = await runtime.run(document, inputs={"url": "https://example.org/data.json"})
        print(result.status, result.outputs)
    ```

    `db` is where executions are kept: `memory:` keeps them in this process only. `nodes` are functions and classes
    (or modules of them) decorated with `@node`; their ids begin with `local.`. `net` is `open`, or `public` to refuse
    every address that is not public, except `HOST:PORT` in `allow_net`. One runtime belongs to one event loop.
    """

    def __init__(
        self,
        db: str = "memory:",
        *,
        name: str | None = None,
        net: Literal["open", "public"] = "open",
        allow_net: Iterable[str] = (),
        nodes: Iterable[object] = (),
        registry: Registry | None = None,
        clock: Clock | None = None,
    ) -> None:
        if db != "memory:":
            raise StoreError(f"The database {db!r} cannot be used yet.", code="store.url", remedy="Use 'memory:'.")
        self.name = name
        self._net = net
        self._allow_net = tuple(allow_net)
        self.registry = Registry.discover() if registry is None else registry
        if local := tuple(nodes):
            self.registry = self.registry.with_local(local)
        self._clock: Clock = SystemClock() if clock is None else clock
        self._secrets = EnvironmentSecrets()
        self._journal = Journal(MemoryStore())
        self._supervisor = Supervisor(
            journal=self._journal, clock=self._clock, secrets=self._secrets, http=self._http_client
        )
        self._schemas = SchemaCache()
        self._plans: OrderedDict[int, tuple[Workflow, _Compiled]] = OrderedDict()
        self._dropped: list[Instances] = []
        self._http: httpx.AsyncClient | None = None
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise InstallationError("The runtime is running already.", remedy="Enter each Runtime once.")
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel what still runs, shut the node instances down, close connections."""
        tasks = self._require_tasks()
        self._supervisor.cancel_all()
        try:
            # The block's own exception is not handed to the task group, which would wrap it in an ExceptionGroup.
            await tasks.__aexit__(None, None, None)
        finally:
            self._tasks = None
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _close(self) -> None:
        instances = [compiled.instances for _, compiled in self._plans.values()] + self._dropped
        self._plans.clear()
        self._dropped = []
        for group in instances:
            await group.shut_down()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # --- documents ----------------------------------------------------------------------------------

    def check(self, document: Document) -> Checked:
        """All problems of a document, and its plan when it can run. Raises nothing for a bad document."""
        return check_workflow(document, self.registry, self._schemas)

    # --- executions ---------------------------------------------------------------------------------

    async def run(
        self, document: Document, inputs: Mapping[str, Value] | None = None, *, trigger: str | None = None
    ) -> ExecutionResult:
        """Run a workflow to its end. A failed execution is a result, not an exception.

        `trigger` is the id of the trigger node that counts as fired; the first one without. Cancelling the caller
        cancels the execution. Raises WorkflowInvalid with all problems of document and inputs.
        """
        self._require_tasks()
        execution_id, executor = self._start(document, inputs, trigger)
        return await self._supervisor.run(execution_id, executor)

    def run_sync(
        self, document: Document, inputs: Mapping[str, Value] | None = None, *, trigger: str | None = None
    ) -> ExecutionResult:
        """`run` for programs without an event loop; opens and closes the runtime around the one run."""

        async def once() -> ExecutionResult:
            async with self:
                return await self.run(document, inputs, trigger=trigger)

        return anyio.run(once)

    async def submit(
        self, document: Document, inputs: Mapping[str, Value] | None = None, *, trigger: str | None = None
    ) -> ExecutionId:
        """Start a workflow in the background; the id comes back once event 1 is kept. See `follow`, `wait`."""
        tasks = self._require_tasks()
        execution_id, executor = self._start(document, inputs, trigger)
        tasks.start_soon(self._supervisor.run, execution_id, executor)
        return execution_id

    async def wait(self, execution_id: str) -> ExecutionResult:
        """The result of a submitted execution, once it has ended. Raises ExecutionError for an unknown one."""
        result = await self._supervisor.wait(execution_id)
        if result is None:
            total = len(self._journal.record(execution_id).workflow.nodes)
            result = self.snapshot(execution_id).result(total)
        return result

    async def follow(self, execution_id: str, after: int = 0) -> AsyncIterator[Event | HistoryGap]:
        """Events of an execution with a seq greater than `after`, as they come, until its end.

        Late followers get the past first. A HistoryGap stands where the memory journal has moved on.
        """
        self._journal.record(execution_id)
        async for batch in self._journal.follow(execution_id, after):
            for event in batch:
                yield event

    def snapshot(self, execution_id: str) -> Execution:
        """The execution as it stands: the fold of its events."""
        self._journal.record(execution_id)
        execution = Execution(execution_id=ExecutionId(execution_id))
        while events := self._journal.read(execution_id, execution.seq).events:
            for event in events:
                execution.apply(event)
        return execution

    def cancel(self, execution_id: str) -> None:
        """Cancel a running execution; it ends soon after. Raises ExecutionError when it does not run here."""
        self._supervisor.cancel(execution_id)

    # --- inside -------------------------------------------------------------------------------------

    def _require_tasks(self) -> anyio.abc.TaskGroup:
        if self._tasks is None:
            raise InstallationError(
                "The runtime is not running.", remedy="Use it as 'async with Runtime() as runtime:'."
            )
        return self._tasks

    def _start(
        self, document: Document, inputs: Mapping[str, Value] | None, trigger: str | None
    ) -> tuple[ExecutionId, Executor]:
        compiled = self._compile(document)
        plan = compiled.plan
        given = self._read_inputs(plan, inputs)
        return self._supervisor.start(plan, compiled.instances, given, fired=_fired(plan, trigger))

    def _compile(self, document: Document) -> _Compiled:
        known = self._plans.get(id(document))
        if known is not None and known[0] is document:
            self._plans.move_to_end(id(document))
            return known[1]
        checked = self.check(document)
        plan = require_plan(checked)
        compiled = _Compiled(plan, Instances(plan, self.registry, self._secrets))
        workflow = document if isinstance(document, Workflow) else plan.workflow
        self._plans[id(workflow)] = (workflow, compiled)
        if len(self._plans) > _KEPT_PLANS:
            _, (_, oldest) = self._plans.popitem(last=False)
            self._dropped.append(oldest.instances)
        return compiled

    def _read_inputs(self, plan: Plan, inputs: Mapping[str, Value] | None) -> dict[str, Value]:
        schema = plan.workflow.inputs
        given, found = read_execution_inputs({} if inputs is None else dict(inputs))
        problems = list(found)
        if schema is not None and not problems:
            given = with_defaults(schema, given)
            problems.extend(self._schemas.get(schema).problems(given, "", "inputs"))
        if not problems:
            problems.extend(_unfilled(plan, given))
        if problems:
            raise WorkflowInvalid(
                problems, f"The inputs do not fit workflow {plan.workflow.id!r}: {problems[0].message}"
            )
        return given

    def _http_client(self) -> httpx.AsyncClient:
        if self._http is None:
            from flowruntime.http import make_client

            self._http = make_client(self._net, self._allow_net)
        return self._http


def _fired(plan: Plan, trigger: str | None) -> int | None:
    if trigger is None:
        return plan.triggers[0] if plan.triggers else None
    number = plan.index.get(trigger)
    if number is None or number not in plan.triggers:
        names = ", ".join(repr(plan.nodes[index].id) for index in plan.triggers) or "none"
        raise WorkflowInvalid(
            [
                Problem(
                    code="trigger.unknown",
                    pointer="",
                    message=f"The workflow has no trigger node {trigger!r}.",
                    remedy=f"Its trigger nodes are: {names}.",
                )
            ]
        )
    return number


def _unfilled(plan: Plan, given: Mapping[str, Value]) -> Iterable[Problem]:
    """Required ports of starting nodes that the execution inputs were to fill and do not."""
    for index in plan.starts:
        node = plan.nodes[index]
        if node.skipped_because is not None or node.from_inputs == ():
            continue
        fixed = node.document.inputs
        for port in node.node_type.inputs.ports:
            if port.required and not (port.name in given or port.name in fixed or port.name in node.defaults):
                yield Problem(
                    code="inputs.missing",
                    pointer="",
                    message=f"Node {node.id!r} needs the execution input {port.name!r} for its required port.",
                    remedy=f"Pass it: --input '{{\"{port.name}\": …}}', or give it in the node's 'inputs'.",
                )
