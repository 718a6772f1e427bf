"""Hypothesis strategies for JSON, values, and valid workflows as objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flowcore.documents import write_workflow
from flowcore.executions import FINAL_STATUSES
from flowcore.policies import ContinueOnError, PartialRetryPolicy, RetryWorkflow, StopWorkflow
from flowcore.values import BLOB_KEY, MAX_INTEGER, MIN_INTEGER, TAGS, Blob, freeze, resolve_blobs
from flowcore.workflows import (
    AFTER,
    DONE,
    ERROR,
    RESERVED_PORTS,
    Cache,
    Connection,
    Settings,
    Trigger,
    Workflow,
    WorkflowNode,
)
from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(MIN_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
KEYS = st.text(max_size=8).filter(lambda key: key != BLOB_KEY)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)
BLOBS = st.binary(max_size=8).map(Blob.from_bytes)
#: Plain values that look like tagged ones.
LOOKALIKES = st.fixed_dictionaries({"type": st.sampled_from(TAGS), "value": JSON})
VALUES = JSON | BLOBS | LOOKALIKES | st.lists(BLOBS | LOOKALIKES, max_size=2)

NAMES = st.text(min_size=1, max_size=8).filter(lambda name: bool(name.strip()))
#: Few names, so that random ones meet.
COMMON_NAMES = st.sampled_from(["a", "b", "c", "value", "node-1", "node-2"]) | NAMES
EXTENSIONS = st.dictionaries(KEYS.map(lambda key: f"x-{key}"), JSON, max_size=2).map(freeze)
_NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000)
_DURATIONS_MS = st.integers(1, 10**6) | st.floats(1, 10**6)

_SCHEMAS = st.booleans() | st.fixed_dictionaries(
    {}, optional={"type": st.just("object"), "properties": OBJECTS, "required": st.lists(NAMES)}
)
_POSITIONS = st.builds(lambda x, y, more: {"x": x, "y": y, **more}, _NUMBERS, _NUMBERS, EXTENSIONS)
_RETRY_POLICIES = st.builds(
    PartialRetryPolicy,
    max_attempts=st.none() | st.integers(1, 9),
    delay_ms=st.none() | st.floats(0, 10**6),
    backoff_multiplier=st.none() | st.floats(1, 5),
    max_delay_ms=st.none() | st.integers(0, 10**6),
    jitter=st.none() | st.floats(0, 1),
    retry_on_timeout=st.none() | st.booleans(),
)
_SETTINGS = st.builds(
    Settings,
    max_execution_time_ms=st.none() | _DURATIONS_MS,
    max_parallel_nodes=st.none() | st.integers(1, 99),
    on_error=st.sampled_from([StopWorkflow(), ContinueOnError(), RetryWorkflow(max_attempts=5)]),
    on_error_workflow=st.none() | NAMES,
    concurrency=st.none() | st.integers(1, 99),
    priority=st.none() | st.integers(-99, 99),
    placement=st.none() | NAMES,
    extensions=EXTENSIONS,
)


def _nodes(node_id: str) -> st.SearchStrategy[WorkflowNode]:
    ports = KEYS.filter(lambda name: name not in RESERVED_PORTS)
    return st.builds(
        WorkflowNode,
        id=st.just(node_id),
        node_type=NAMES,
        type_version=st.none() | st.integers(1, 9),
        name=st.none() | st.text(max_size=8),
        description=st.none() | st.text(max_size=8),
        config=st.dictionaries(KEYS, VALUES, max_size=3).map(freeze),
        inputs=st.dictionaries(ports, VALUES, max_size=2).map(freeze),
        position=st.none() | _POSITIONS.map(freeze),
        retry_policy=st.none() | _RETRY_POLICIES,
        timeout_ms=st.none() | _DURATIONS_MS,
        on_error=st.sampled_from([None, "stop", "continue", "route"]),
        disabled=st.booleans(),
        effects=st.sampled_from([None, "pure", "read", "write"]),
        delivery=st.sampled_from(["at_least_once", "at_most_once"]),
        placement=st.none() | NAMES,
        cache=st.none() | st.builds(Cache, ttl_ms=st.none() | _DURATIONS_MS),
        extensions=EXTENSIONS,
    )


def _trigger_types(node_ids: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("Node"), "node": st.sampled_from(node_ids)}),
        st.fixed_dictionaries({"type": st.just("Manual")}),
        st.fixed_dictionaries({"type": st.just("Cron"), "expression": NAMES}, optional={"timezone": NAMES}),
        st.fixed_dictionaries(
            {"type": st.just("Webhook"), "path": NAMES},
            optional={"method": NAMES, "methods": st.lists(NAMES), "public": st.booleans()},
        ),
        st.fixed_dictionaries(
            {"type": st.just("Event"), "event_type": st.just("WorkflowCompleted"), "workflow": NAMES},
            optional={"status": st.lists(st.sampled_from(sorted(FINAL_STATUSES)))},
        ),
    )


@st.composite
def _connections(draw: st.DrawFn, nodes: list[WorkflowNode]) -> Connection:
    source = draw(st.sampled_from(nodes))
    target = draw(st.sampled_from([node for node in nodes if node.id != source.id]))
    from_ports = [DONE, ERROR] if source.on_error == "route" else [DONE]
    return Connection(
        from_node=source.id,
        from_port=draw(st.sampled_from(from_ports) | NAMES.filter(lambda name: name not in RESERVED_PORTS)),
        to_node=target.id,
        to_port=draw(st.just(AFTER) | NAMES.filter(lambda name: name not in RESERVED_PORTS)),
        extensions=draw(EXTENSIONS),
    )


def _ends(connection: Connection) -> tuple[str, ...]:
    return connection.from_node, connection.from_port, connection.to_node, connection.to_port


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """A workflow that is structurally valid in every field; its node types and ports need not exist."""
    node_ids = draw(st.lists(COMMON_NAMES, min_size=1, max_size=4, unique=True))
    nodes = [draw(_nodes(node_id)) for node_id in node_ids]
    connections: list[Connection] = []
    if len(nodes) > 1:
        connections = draw(st.lists(_connections(nodes), max_size=4, unique_by=_ends))
    triggers = [
        Trigger(
            id=trigger_id,
            trigger_type=freeze(draw(_trigger_types(node_ids))),
            enabled=draw(st.booleans()),
            extensions=draw(EXTENSIONS),
        )
        for trigger_id in draw(st.lists(COMMON_NAMES, max_size=2, unique=True))
    ]
    return draw(
        st.builds(
            Workflow,
            id=NAMES,
            name=NAMES,
            description=st.none() | st.text(max_size=8),
            inputs=st.none() | _SCHEMAS.map(freeze),
            vars=OBJECTS.map(freeze),
            nodes=st.just(tuple(nodes)),
            connections=st.just(tuple(connections)),
            triggers=st.just(tuple(triggers)),
            outputs=st.none() | OBJECTS.map(freeze),
            settings=_SETTINGS,
            extensions=EXTENSIONS,
        )
    )


@st.composite
def nested_workflows(draw: st.DrawFn, depth: int = 3) -> tuple[Workflow, list[Workflow]]:
    """A workflow and those inside it, from the outermost in: each stands in the config of the first node of the last.

    The field is `body`.
    """
    outer = draw(workflows())
    if depth == 0:
        return outer, []
    inner, others = draw(nested_workflows(depth - 1))
    first, *rest = outer.nodes
    config = freeze({**first.config, "body": resolve_blobs(write_workflow(inner))})
    made = replace(outer, nodes=(replace(first, config=config), *rest))
    return made, [inner, *others]
