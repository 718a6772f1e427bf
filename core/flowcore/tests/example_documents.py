"""The contract's own example of a document, and ways to spoil it."""

from __future__ import annotations

import copy
from typing import Any

from flowcore.documents import read_workflow
from flowcore.errors import Problem

PIPELINE: dict[str, Any] = {
    "id": "api-pipeline",
    "name": "API data pipeline",
    "description": "Fetch, parse, log",
    "inputs": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    "vars": {"limit": 10},
    "nodes": [
        {
            "id": "fetch",
            "node_type": "http.request",
            "type_version": 1,
            "name": "Fetch",
            "description": None,
            "config": {"method": "GET"},
            "inputs": {},
            "position": {"x": 100, "y": 100},
            "retry_policy": {
                "max_attempts": 3,
                "delay_ms": 1000,
                "backoff_multiplier": 2.0,
                "max_delay_ms": 60000,
                "jitter": 0.1,
                "retry_on_timeout": True,
            },
            "timeout_ms": 30000,
            "on_error": None,
            "disabled": False,
        },
        {"id": "parse", "node_type": "transform.json_parse"},
        {"id": "log", "node_type": "debug.log"},
    ],
    "connections": [
        {"from_node": "fetch", "from_port": "body", "to_node": "parse", "to_port": "json"},
        {"from_node": "parse", "from_port": "parsed", "to_node": "log", "to_port": "message"},
    ],
    "triggers": [{"id": "t1", "trigger_type": {"type": "Manual"}, "enabled": True}],
    "outputs": {"result": "${{ nodes.parse.parsed }}"},
    "settings": {"max_execution_time_ms": None, "max_parallel_nodes": 10, "on_error": "StopWorkflow"},
}
#: Stands for a field that is not there.
ABSENT: Any = ...


def pipeline(pointer: str = "", value: Any = ABSENT) -> dict[str, Any]:
    """The pipeline with one place changed, or removed when no value is given."""
    document = copy.deepcopy(PIPELINE)
    if pointer:
        *steps, last = pointer.split("/")[1:]
        part: Any = document
        for step in steps:
            part = part[int(step)] if isinstance(part, list) else part[step]
        if isinstance(part, list):
            part[int(last)] = value
        elif value is ABSENT:
            del part[last]
        else:
            part[last] = value
    return document


def found(document: Any) -> list[tuple[str, str]]:
    """Code and pointer of every problem; each also says what to do."""
    problems = read_workflow(document).problems
    assert all(problem.message and problem.remedy for problem in problems)
    return [(problem.code, problem.pointer) for problem in problems]


def only_problem(document: Any) -> Problem:
    (problem,) = read_workflow(document).problems
    return problem
