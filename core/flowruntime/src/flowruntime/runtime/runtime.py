"""`Runtime`: puts the parts together, and starts, follows and cancels executions for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import anyio
import anyio.abc
from flowcore.contracts import Clock
from flowcore.errors import ExecutionError, InstallationError, StoreError
from flowcore.events import ExecutionId, Path
from flowcore.executions import FINAL_STATUSES, Execution, ExecutionResult
from flowcore.values import Value, check_value
from flowcore.workflows import Workflow

from flowruntime.authoring import Body
from flowruntime.clock import SystemClock
from flowruntime.engine import Supervisor
from flowruntime.engine.attempt import Instances
from flowruntime.engine.executor import Executor
from flowruntime.journal import LEASE_SECONDS, ExecutionLog, Following, Journal
from flowruntime.pack_settings import OperatorFile, hold_operator_file
from flowruntime.plan import Checked, Library, Plan, SchemaCache, check_workflow, require_plan
from flowruntime.registry import Registry
from flowruntime.registry.places import settings_file
from flowruntime.runtime.documents import Document, name_of
from flowruntime.runtime.error_workflows import ErrorWorkflows
from flowruntime.runtime.library import WorkflowLibrary
from flowruntime.runtime.plans import CompiledWorkflow, PlanCache
from flowruntime.runtime.plugging import Plugging
from flowruntime.runtime.recovering import Recovery
from flowruntime.runtime.secret_places import find_secrets
from flowruntime.runtime.starting import fired_trigger, origin_of, read_inputs
from flowruntime.stores import MEMORY, store_for
from flowruntime.stores.processes import this_process

if TYPE_CHECKING:
    import httpx

__all__ = ["Runtime"]


class Runtime:
    """Runs workflows.

    ```python
    async with Runtime() as runtime:
        result = await runtime.run(document, inputs={"url": "https://example.org/data.json"})
        print(result.status, result.outputs)
    ```

    `db` is where executions are kept: `memory:` keeps them in this process only, `sqlite:///relative/path.db` and
    `sqlite:////absolute/path.db` in a file. What a database keeps is on the disk before anybody is told. `nodes`
    are functions and classes (or modules of them) decorated with `@node`; their ids begin with `local.`. `net` is
    `open`, or `public` to refuse every address that is not public, except `HOST:PORT` in `allow_net`.
    `max_executions` run at the same time, others are pending; None is no limit. With a `seed` the jitter of delays
    is the same in every process: with a manual clock and deterministic nodes a workflow then writes the same log.
    One runtime belongs to one event loop.
    """

    def __init__(
        self,
        db: str = MEMORY,
        *,
        name: str | None = None,
        net: Literal["open", "public"] = "open",
        allow_net: Iterable[str] = (),
        nodes: Iterable[object] = (),
        registry: Registry | None = None,
        clock: Clock | None = None,
        max_executions: int | None = None,
        seed: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.name = name
        self._lease_seconds = lease_seconds
        self._net = net
        self._allow_net = tuple(allow_net)
        self.registry = Registry.discover() if registry is None else registry
        if local := tuple(nodes):
            self.registry = self.registry.with_local(local)
        hold_operator_file(OperatorFile(settings_file(), serves_others=net == "public"))
        self._clock: Clock = SystemClock() if clock is None else clock
        self._store = store_for(db)
        self._secrets = find_secrets(self._store, self.registry)
        self._journal = Journal(self._store, self._secrets.net)
        self._schemas = SchemaCache()
        self._supervisor = Supervisor(
            journal=self._journal,
            clock=self._clock,
            secrets=self._secrets,
            schemas=self._schemas,
            max_executions=max_executions,
            seed=seed,
        )
        self._plans = PlanCache(
            check=self._check, registry=self.registry, secrets=self._secrets, shut_down=self._shut_down
        )
        #: The workflows that nodes may run by name, and `settings.on_error_workflow` may name.
        self.workflows = WorkflowLibrary(self._store.workflows, check=self._check, changed=self._plans.forget)
        self._error_workflows = ErrorWorkflows(create=self._create_error_workflow, start=self._supervisor.start)
        self._recovery = Recovery(
            journal=self._journal,
            supervisor=self._supervisor,
            compile_closure=self._compile_closure,
            on_end=self._on_end,
            on_failing=self._on_failing,
            http=self._client_for,
        )
        self._plugging = Plugging(self.registry, self._secrets.net)
        #: By network policy.
        self._http: dict[str, httpx.AsyncClient] = {}
        self._http_client = self._client_for(net)
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise InstallationError("The runtime is running already.", remedy="Enter each Runtime once.")
        await self._plugging.open(self._plans, self._journal)
        await self._journal.open(this_process(self.name), lease_seconds=self._lease_seconds)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._watch = anyio.CancelScope()
        self._tasks.start_soon(self._keep_time)
        self._journal.tend(recovery=self.name, requested=self._supervisor.take_requests, found=self._recovery.recover)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs, shut the node instances down, close connections. Error workflows may end first.

        What a runtime with a name keeps in a database is left as it is, for the next one of that name; all else is
        cancelled.
        """
        tasks = self._require_tasks()
        tasks.cancel_scope.shield = True
        try:
            if error is None:
                await self._error_workflows.finish()
            await self._recovery.close()
            await self._supervisor.close(leave=self.name is not None)
            for instances in self._plans.take_all():
                await instances.shut_down()
            while self._http:
                await self._http.popitem()[1].aclose()
        finally:
            self._watch.cancel()
            self._tasks = None
            try:
                await self._close_journal(quietly=error is not None)
            finally:
                await self._plugging.close()
                # The block's own exception is not handed to the task group, which would wrap it in an ExceptionGroup.
                await tasks.__aexit__(None, None, None)

    async def _close_journal(self, *, quietly: bool) -> None:
        """Make durable what is left. Raises StoreError when that cannot be, unless an error is on its way already."""
        try:
            await self._journal.close()
        except StoreError:
            if not quietly:
                raise

    async def _keep_time(self) -> None:
        with self._watch:
            await self._supervisor.watchdog.run()

    # --- documents ----------------------------------------------------------------------------------

    def check(self, document: Document) -> Checked:
        """All problems of a document, and its plan when it can run. Raises nothing for a bad document.

        Running `checked.workflow` afterwards does not check it again.
        """
        checked = self._check(document)
        if checked.plan is not None:
            self._plans.remember(checked.plan)
        return checked

    # --- executions ---------------------------------------------------------------------------------

    async def run(
        self, document: Document, inputs: Mapping[str, Value] | None = None, *, trigger: str | None = None
    ) -> ExecutionResult:
        """Run a workflow to its end. A failed execution is a result, not an exception.

        A text that does not begin with `{` is the id or the name of a workflow in the library.
        `trigger` is the id of the trigger node that counts as fired; the first one without. Cancelling the caller
        cancels the execution. Raises WorkflowInvalid with all problems of document and inputs.
        """
        self._require_tasks()
        if self._plans.is_at_hand(document):
            executor = self._create(document, inputs, trigger)
        else:
            executor = await self._begin(document, inputs, trigger)
        result = await self._supervisor.run(executor)
        if executor.log.is_blocking:
            await executor.log.until_durable(executor.log.seq)
        return result

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
        self._require_tasks()
        executor = await self._begin(document, inputs, trigger)
        self._supervisor.start(executor)
        if executor.log.is_blocking:
            try:
                await executor.log.until_durable(1)
            except StoreError:
                executor.cancel("its first event could not be kept")
                raise
        return executor.log.execution_id

    async def wait(self, execution_id: str) -> ExecutionResult:
        """The result of an execution, once it has ended.

        Raises ExecutionError for an unknown one, and for one that does not run here and has not ended.
        """
        result = await self._supervisor.wait(execution_id)
        await self._journal.until_durable(execution_id)
        if result is not None:
            return result
        if self._journal.blocking:
            return await anyio.to_thread.run_sync(self._result, execution_id)
        return self._result(execution_id)

    def follow(self, execution_id: str, after: int = 0) -> Following:
        """Events of an execution with a seq greater than `after`, as they come, until its end.

        Late followers get the past first. A HistoryGap stands where the memory journal has moved on. Raises
        ExecutionError for an unknown execution; with a database, when it is iterated over.
        """
        return self._journal.follow(execution_id, after)

    def snapshot(self, execution_id: str) -> Execution:
        """The execution as it stands: the fold of its events. A database is read in the calling thread."""
        self._journal.record(execution_id)
        execution = Execution(execution_id=ExecutionId(execution_id))
        while events := self._journal.read(execution_id, execution.seq).events:
            for event in events:
                execution.apply(event)
        return execution

    def cancel(self, execution_id: str) -> None:
        """Cancel a running execution; it ends soon after. Raises ExecutionError when it does not run here."""
        self._supervisor.cancel(execution_id)

    def signal(self, execution_id: str, name: str, value: Value = None) -> None:
        """Wake the nodes that wait for a signal, and hand them a value.

        Raises ExecutionError when no node waits for it, and NotAValue for what is no value.
        """
        check_value(value)
        self._supervisor.signal(execution_id, name, value)

    def answer(
        self,
        execution_id: str,
        node_id: str,
        answer: Literal["retry", "fail", "value"],
        value: Value = None,
        *,
        path: Path = (),
    ) -> None:
        """Say what becomes of a node with `delivery: at_most_once` that began and was interrupted.

        It runs again, fails, or completes with `value`: an object of its output ports, or the value of its only one.
        Raises ExecutionError when it does not wait for an answer, and NotAValue for what is no value.
        """
        check_value(value)
        self._supervisor.answer(execution_id, node_id, path, answer, value)

    async def resume(self, execution_id: str, *, accept_packs: bool = False) -> None:
        """Take up an execution that nobody runs any more, and run it on in the background. See `follow`, `wait`.

        Attempts that were running count as interrupted and are made again. It is not taken up when the versions of its
        node types have changed, unless `accept_packs`. Raises ExecutionError for an unknown execution and for one that
        must not be resumed, StoreError for one that has ended or that somebody runs.
        """
        self._require_tasks()
        await self._recovery.resume(execution_id, accept_packs=accept_packs)

    async def wait_for_rest(self, execution_id: str) -> ExecutionResult | None:
        """The result of an execution once it has ended; None as soon as it waits for nothing but an answer."""
        if await self._supervisor.until_rest(execution_id):
            await self._journal.until_durable(execution_id)
            return None
        return await self.wait(execution_id)

    # --- inside -------------------------------------------------------------------------------------

    def _result(self, execution_id: str) -> ExecutionResult:
        snapshot = self.snapshot(execution_id)
        if snapshot.status not in FINAL_STATUSES:
            raise ExecutionError(
                f"Execution {execution_id!r} does not run here, and has not ended: it is {snapshot.status}.",
                code="execution.elsewhere",
                remedy="Take it up with resume() when nobody runs it; else ask again once it has ended.",
            )
        return snapshot.result(len(self._journal.record(execution_id).workflow.nodes))

    def _check(self, document: Document, library: Library | None = None) -> Checked:
        return check_workflow(
            document, self.registry, self._schemas, self.workflows.shelf() if library is None else library
        )

    def _require_tasks(self) -> anyio.abc.TaskGroup:
        if self._tasks is None:
            raise InstallationError(
                "The runtime is not running.", remedy="Use it as 'async with Runtime() as runtime:'."
            )
        return self._tasks

    async def _begin(self, document: Document, inputs: Mapping[str, Value] | None, trigger: str | None) -> Executor:
        """`_create` for a document or a name, with the library as it is now."""
        name = name_of(document)
        if name is None and self._plans.is_at_hand(document):
            return self._create(document, inputs, trigger)
        if self._store.blocking:
            seen = await anyio.to_thread.run_sync(self.workflows.look, name)
        else:
            seen = self.workflows.look(name)
        self.workflows.take(seen)
        if name is None:
            return self._create(document, inputs, trigger)
        document, version = self.workflows.require(name)
        return self._create(document, inputs, trigger, version=version)

    def _create(
        self,
        document: Document,
        inputs: Mapping[str, Value] | None,
        trigger: str | None,
        *,
        version: int | None = None,
    ) -> Executor:
        """Begin an execution. `version` is the document's in the library, when it runs from there."""
        compiled = self._plans.get(document)
        names = compiled.plan.names
        named = self.workflows.documents(names) if names else None
        return self._create_compiled(compiled, named, inputs, trigger, version=version)

    def _create_compiled(
        self,
        compiled: CompiledWorkflow,
        named: Mapping[str, Workflow] | None,
        inputs: Mapping[str, Value] | None,
        trigger: str | None,
        origin: dict[str, Any] | None = None,
        *,
        version: int | None = None,
        leader: ExecutionLog | None = None,
    ) -> Executor:
        plan = compiled.plan
        try:
            fired = fired_trigger(plan, trigger)
            return self._supervisor.create(
                plan,
                compiled.instances,
                read_inputs(plan, inputs, self._schemas),
                fired=fired,
                on_end=self._on_end(compiled),
                on_failing=None if plan.on_error is None else self._on_failing(plan, named, origin),
                origin=origin_of(plan, fired, origin, self._net),
                named=named,
                version=version,
                recovery=self.name,
                leader=leader,
                http=self._http_client if origin is None else self._client_for(origin.get("net", "open")),
            )
        except BaseException:
            self._plans.release(compiled)
            raise

    def _on_end(self, compiled: CompiledWorkflow) -> Callable[[ExecutionResult | None], None]:
        """What is done when an execution has ended, or does not run here any more."""
        return lambda _: self._plans.release(compiled)

    def _on_failing(
        self, plan: Plan, named: Mapping[str, Workflow] | None, origin: Mapping[str, Any] | None
    ) -> Callable[[ExecutionResult, ExecutionLog], None] | None:
        """What is done before an execution of this origin fails, if anything: an error workflow has none."""
        body, cause = plan.on_error, origin or {}
        if body is None or cause.get("type") == "Error":
            return None
        return partial(self._error_workflows.begin, body, named or {}, cause.get("net", "open"))

    def _compile_closure(self, workflow: Workflow, library: Library | None) -> CompiledWorkflow:
        """The plan of an execution that began before, with the workflows that it had by name then."""
        if library is None:
            return self._plans.get(workflow)
        return self._plans.apart(require_plan(self._check(workflow, library)))

    def _create_error_workflow(
        self,
        body: Body,
        named: Mapping[str, Workflow],
        inputs: dict[str, Value],
        origin: dict[str, Any],
        *,
        leader: ExecutionLog,
    ) -> Executor:
        plan: Plan = body.plan
        if plan.names:  # those of the library may be others by now
            compiled = self._plans.apart(plan)
        else:
            self._plans.remember(plan)
            compiled = self._plans.get(plan.workflow)
        of_its_own = {name: named[name] for name in plan.names if name in named}
        return self._create_compiled(compiled, of_its_own, inputs, None, origin, leader=leader)

    def _shut_down(self, instances: Instances) -> None:
        if self._tasks is not None:  # before that none can have been initialized
            self._tasks.start_soon(instances.shut_down)

    def _client_for(self, net: str) -> Callable[[], httpx.AsyncClient]:
        """Gives the pooled client for executions that began under this network policy, or the stricter one of here."""
        policy: Literal["open", "public"] = "public" if "public" in {net, self._net} else "open"

        def client() -> httpx.AsyncClient:
            if policy not in self._http:
                from flowruntime.http import make_client

                self._http[policy] = make_client(policy, self._allow_net)
            return self._http[policy]

        return client
