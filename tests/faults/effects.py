"""Workflows with side effects, and what must be true of their executions, whatever happened to the processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from flowcore.events import (
    ExecutionId,
    NodeCompleted,
    NodeStarted,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowStarted,
)
from flowcore.executions import Execution, idempotency_key
from flowruntime.stores.sqlite import SqliteStore

from tests.faults.ledger import Ledger

__all__ = ["WORKFLOWS", "unsound", "untold"]


def _workflow(layers: int, items: int) -> dict[str, Any]:
    """Layers of four nodes, the first of each with an effect; a branch, a loop with effects, a subflow."""
    nodes: list[dict[str, Any]] = [{"id": "begin", "node_type": "local.act"}]
    connections: list[dict[str, str]] = []

    def connect(from_node: str, from_port: str, to_node: str, to_port: str) -> None:
        connections.append({"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port})

    before = ["begin"] * 4
    for layer in range(layers):
        now = [f"n{layer}_{column}" for column in range(4)]
        for column, name in enumerate(now):
            nodes.append({"id": name, "node_type": "local.add" if column else "local.act"})
            connect(before[column], "result", name, "values" if column else "value")
            if column == 3:
                connect(before[0], "done", name, "after")
        before = now
    nodes += [
        {"id": "if", "node_type": "control.if", "config": {"condition": "inputs.value > `0`"}},
        {"id": "yes", "node_type": "local.act"},
        *({"id": f"no{number}", "node_type": "local.act"} for number in range(3)),
        {"id": "loop", "node_type": "control.loop", "config": {"mode": "times", "times": items, "concurrency": 3}},
        {"id": "sub", "node_type": "control.subflow", "config": {"workflow": _BODY}, "inputs": {"index": 7}},
        {"id": "end", "node_type": "local.act"},
    ]
    nodes[-3]["config"]["body"] = _BODY
    connect(before[1], "result", "if", "value")
    connect("if", "true", "yes", "value")
    connect("if", "false", "no0", "value")
    connect("no0", "result", "no1", "value")
    connect("no0", "result", "no2", "value")
    connect("yes", "done", "loop", "after")
    connect("yes", "done", "sub", "after")
    connect("loop", "done", "end", "after")
    connect("sub", "done", "end", "after")
    connect(before[2], "result", "end", "value")
    outputs = {
        "end": "${{ nodes.end.result }}",
        "items": "${{ nodes.loop.results[].r }}",
        "sub": "${{ nodes.sub.r }}",
        "no": "${{ nodes.no2.result }}",
        "yes": "${{ nodes.yes.result }}",
    }
    return {"name": "effects", "nodes": nodes, "connections": connections, "outputs": outputs}


_BODY: Final[dict[str, Any]] = {
    "name": "body",
    "inputs": {"type": "object", "properties": {"index": {"type": "integer"}}},
    "nodes": [
        {"id": "p", "node_type": "local.act", "inputs": {"value": "${{ input.index }}"}},
        {"id": "q", "node_type": "local.add", "inputs": {"values": "${{ nodes.p.result }}"}},
    ],
    "outputs": {"r": "${{ nodes.q.result }}"},
}
#: By name: the long one has 200 nodes at the top and in its loop, and the last one asks before it repeats an effect.
WORKFLOWS: Final[dict[str, dict[str, Any]]] = {
    "long": _workflow(40, 15),
    "short": _workflow(5, 4),
    "once": {
        "name": "once",
        "nodes": [
            {"id": "once", "node_type": "local.act", "delivery": "at_most_once"},
            {"id": "then", "node_type": "local.act"},
        ],
        "connections": [{"from_node": "once", "from_port": "result", "to_node": "then", "to_port": "value"}],
    },
    "failing": {
        "name": "failing",
        "nodes": [
            {"id": "begin", "node_type": "local.act"},
            {"id": "fail", "node_type": "control.fail", "config": {"message": "It is over."}},
        ],
        "connections": [{"from_node": "begin", "from_port": "done", "to_node": "fail", "to_port": "after"}],
        "settings": {"on_error_workflow": "telling"},
    },
    "telling": {
        "name": "telling",
        "nodes": [
            {"id": "told", "node_type": "debug.inspect", "inputs": {"value": "${{ input.error.execution_id }}"}},
            {"id": "tell", "node_type": "local.act"},
        ],
        "connections": [{"from_node": "told", "from_port": "done", "to_node": "tell", "to_port": "after"}],
        "outputs": {"of": "${{ nodes.told.value }}", "told": "${{ nodes.tell.result }}"},
    },
}
_EXPECTED: Final = {
    "long": {"end": 42, "items": [index + 2 for index in range(15)], "sub": 9, "no": None, "yes": 42},
    "short": {"end": 7, "items": [index + 2 for index in range(4)], "sub": 9, "no": None, "yes": 7},
    "once": {"then": {"result": 2}},
}


def unsound(database: Path, ledger: Ledger, acknowledged: Iterable[str], workflow: str) -> list[str]:
    """What is wrong with the executions in a database, when all of them should have ended; each in a line."""
    store = SqliteStore(database)
    store.open()
    effects: dict[str, list[Any]] = {}
    for entry in ledger.entries():
        effects.setdefault(entry.execution_id, []).append(entry)
    problems = []
    try:
        summaries = store.executions(limit=100_000)
        problems += [f"{lost} is lost" for lost in set(acknowledged) - {summary.execution_id for summary in summaries}]
        for summary in summaries:
            log = store.read(ExecutionId(summary.execution_id), limit=1_000_000).events
            problems += [
                f"{summary.execution_id}: {problem}"
                for problem in _problems(summary, list(log), effects.pop(summary.execution_id, []), workflow)
            ]
    finally:
        store.close()
    return problems + [f"{stray} has effects and no log" for stray in effects]


def untold(database: Path) -> list[str]:
    """What is wrong with error workflows, when all executions of `failing` should have ended; each in a line.

    All of them have failed, and each is told of by one execution of `telling`, which has succeeded.
    """
    store = SqliteStore(database)
    store.open()
    try:
        views = [
            Execution.fold(summary.execution_id, store.read(ExecutionId(summary.execution_id)).events)
            for summary in store.executions(limit=100_000)
        ]
    finally:
        store.close()
    tellings = Counter(view.origin["execution_id"] for view in views if view.workflow_id == "telling")
    failed = {view.execution_id for view in views if view.workflow_id == "failing" and view.status == "failed"}
    problems = [f"{view.execution_id} is {view.status}" for view in views if view.workflow_id == "failing"]
    problems = [problem for problem in problems if not problem.endswith("is failed")]
    problems += [f"{name} is told of {tellings[name]} times" for name in failed if tellings[name] != 1]
    problems += [f"{name} is told of and has not failed" for name in tellings.keys() - failed]
    return problems + [
        f"{view.execution_id} came to {view.status}: {view.outputs}"
        for view in views
        if view.workflow_id == "telling"
        and (view.status, view.outputs) != ("succeeded", {"of": view.origin["execution_id"], "told": 1})
    ]


def _problems(summary: Any, log: list[Any], effects: list[Any], workflow: str) -> list[str]:
    execution_id = summary.execution_id
    problems = []
    if [event.seq for event in log] != list(range(1, len(log) + 1)):
        problems.append("its log has gaps")
    folded = Execution.fold(execution_id, log)
    if (folded.status, folded.outputs) != ("succeeded", _EXPECTED[workflow]):
        problems.append(f"it came to {folded.status}: {folded.outputs}")
    started: Counter[tuple[Any, str]] = Counter()
    completed: set[tuple[Any, str]] = set()
    for event in log:
        if isinstance(event, WorkflowStarted | WorkflowResumed | WorkflowCompleted):
            continue
        where = event.path, event.node_id
        if isinstance(event, NodeStarted):
            started[where] += 1
            if where in completed:
                problems.append(f"{where} runs though it has completed")
            if event.attempt != started[where]:
                problems.append(f"{where} has attempt {event.attempt} and has started {started[where]} times")
        elif isinstance(event, NodeCompleted):
            completed.add(where)
            if event.node_id in _ACTING and not any(_where(entry) == where for entry in effects):
                problems.append(f"{where} has completed without its effect")
    seen: set[tuple[Any, ...]] = set()
    for entry in effects:
        where = _where(entry)
        if entry.attempt > started[where]:
            problems.append(f"{where} has an effect of attempt {entry.attempt}, which is not in the log")
        if (where, entry.attempt) in seen:
            problems.append(f"{where} has two effects of attempt {entry.attempt}")
        seen.add((where, entry.attempt))
        if entry.key != idempotency_key(execution_id, where[0], entry.node_id):
            problems.append(f"{where} has another key")
    return problems


_ACTING: Final = {
    given["id"] for document in WORKFLOWS.values() for given in document["nodes"] if "act" in given["node_type"]
} | {"p"}


def _where(entry: Any) -> tuple[Any, str]:
    return tuple(tuple(step) for step in entry.path), entry.node_id
