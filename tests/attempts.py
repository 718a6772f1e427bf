"""Makes one attempt of one node type without an engine: for tests of what a node itself does."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jmespath
from flowcore.contracts import ValueStore
from flowcore.events import NodeEventType
from flowcore.nodes import NodeType
from flowcore.schemas import X_EXPRESSION, fields_marked, with_defaults
from flowcore.values import FrozenDict, Value
from flowcore.workflows import Workflow, WorkflowId
from flowruntime.authoring import Context, Expression, NodeStore, Secret, Wait, Woken, definition_of, make_handler
from flowruntime.authoring.functions import Moment
from flowruntime.stores import MemoryStore

__all__ = ["Attempt", "attempt", "node_type_of"]


@dataclass
class Attempt:
    """What came of an attempt; it stands in for the execution that the attempt belongs to."""

    client: httpx.AsyncClient | None = None
    source_ids: list[str] = field(default_factory=list)
    #: The execution's inputs.
    inputs: dict[str, Value] = field(default_factory=dict)
    execution_id: str = "e-1"
    workflow: Workflow = field(default_factory=lambda: Workflow(id=WorkflowId("w"), name="w"))
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    #: `(type, message)` of what the node said.
    events: list[tuple[NodeEventType, str]] = field(default_factory=list)
    slept_seconds: list[float] = field(default_factory=list)
    #: What the node waited for; it is woken at once.
    waits: list[Wait] = field(default_factory=list)

    #: What nodes keep across executions.
    values: ValueStore = field(default_factory=lambda: MemoryStore().values)

    @property
    def info(self) -> dict[str, Any]:
        return {"execution_id": self.execution_id, "started_at": "2026-01-01T00:00:00Z"}

    def emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        self.events.append((event_type, content["message"]))

    def sources(self, ctx: Context, port: str) -> list[str]:
        return self.source_ids

    def is_cancelled(self, ctx: Context) -> bool:
        return False

    def state(self, ctx: Context) -> dict[str, Value]:
        return {}

    def moment_of(self, ctx: Context) -> Moment:
        return Moment(now_us=self.now_us(), execution_id=self.execution_id, path=ctx.path, node_id=ctx.node_id)

    def store(self, ctx: Context) -> NodeStore:
        return NodeStore(self.values, ctx.node_id, is_blocking=False)

    def now_us(self) -> int:
        return 1_700_000_000_000_000

    async def sleep(self, seconds: float) -> None:
        self.slept_seconds.append(seconds)

    def http_client(self) -> httpx.AsyncClient:
        assert self.client is not None
        return self.client


def node_type_of(target: Any) -> NodeType:
    """The catalog entry that the code makes."""
    definition = definition_of(target)
    assert definition is not None
    return definition.node_type(type_id=definition.id, implementation=f"{target.__module__}:{target.__name__}")


async def attempt(
    target: Any,
    inputs: dict[str, Value] | None = None,
    config: dict[str, Value] | None = None,
    *,
    client: httpx.AsyncClient | None = None,
    sources: list[str] | None = None,
    execution_inputs: dict[str, Value] | None = None,
    workflow_vars: dict[str, Value] | None = None,
    number: int = 1,
    woken: Woken | None = None,
) -> Attempt:
    """One attempt, the node called as the engine calls it: defaults filled, bare expressions compiled.

    What the node raises comes out.
    """
    definition = definition_of(target)
    assert definition is not None
    schema = node_type_of(target).config_schema
    filled: dict[str, Any] = dict(with_defaults(schema, config or {}))
    for path in fields_marked(schema, X_EXPRESSION, filled):
        text = filled[str(path[0])]
        if text is not None:
            filled[str(path[0])] = Expression(text, jmespath.compile(text).search)
    handler = make_handler(definition, config or {})
    workflow = Workflow(id=WorkflowId("w"), name="w", vars=FrozenDict(workflow_vars or {}))
    run = Attempt(client=client, source_ids=sources or [], inputs=execution_inputs or {}, workflow=workflow)
    given = handler.read_config(filled) if handler.read_config is not None else filled
    ctx = Context(run, (), "n", number, inputs or {}, given)
    while True:
        called = handler.call(ctx)
        result = await called if inspect.isawaitable(called) else called
        if not isinstance(result, Wait):
            run.outputs = dict(result)
            return run
        run.waits.append(result)
        ctx.woken = woken or Woken(reason="due")
