"""Checks the types of the builder as users see them: mypy takes what is right and refuses what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

from tests.architecture.source_tree import ROOT

RIGHT = """
import json
from typing import Any

from flowcore.executions import ExecutionResult
from flowcore.workflows import Workflow
from flowruntime import Runtime, WorkflowBuilder
from flowruntime.builder import NodeHandle, PortHandle

body = WorkflowBuilder("body")
flow = WorkflowBuilder("w", id="w", description="Made in Python")
url: str = flow.input("url", {"type": "string"}, required=True)
limit: str = flow.var("limit", 10)
fetch: NodeHandle = flow.add(
    "http.request", method="GET", inputs={"url": url}, retry_policy={"max_attempts": 3, "jitter": 0.5}
)
loop = flow.add("control.loop", config={"body": body}, on_error="route", cache={"ttl_ms": None})
port: PortHandle = fetch["set-cookie"]
flow.connect(fetch.body, loop.items)
flow.connect(loop.error, flow.add("debug.log").message, several=True)
text: str = port.ref
flow.output("a", port)
flow.output("b", [port.path, 1])
flow.settings(max_parallel_nodes=None, on_error={"RetryWorkflow": {"max_attempts": 2}})
flow.trigger("Cron", expression="* * * * *", timezone="UTC")
flow.trigger(fetch, enabled=False)
built: Workflow = flow.build()
document: dict[str, object] = flow.to_json()

# Made by a program: what is narrower than it may be, and what is only known when it runs.
schema: dict[str, str] = {"type": "string"}
fixed: dict[str, str] = {"url": flow.input("base", schema)}
policy: dict[str, int] = {"max_attempts": 5}
settings: dict[str, Any] = {"label": "again", "level": "info"}
flow.add("http.request", config={}, inputs=fixed, retry_policy=policy, position={"x": 1, "y": 2})
steps: list[NodeHandle] = [flow.add("debug.log", id=f"step{number}", **settings) for number in range(3)]
for before, after in zip(steps, steps[1:]):
    flow.connect(before.done, after.after)
ports: tuple[PortHandle, ...] = tuple(step.message for step in steps)


def logged(builder: WorkflowBuilder, source: PortHandle) -> NodeHandle:
    log = builder.add("debug.log")
    builder.connect(source, log.message)
    return log


flow.add("control.subflow", workflow=body, inputs={"log": logged(flow, fetch.body), "all": [fetch.body, {"n": 1}]})
flow.output("all", {"text": f"status {fetch.status.ref}", "steps": list(ports), "nothing": None})
flow.settings(on_error="ContinueOnError", on_error_workflow="tell", concurrency=3, priority=1)
text = json.dumps(flow.to_json()["nodes"][0])
result: ExecutionResult = Runtime().run_sync(built, {"url": "https://example.org"})
"""
BEGIN = 'from flowruntime import WorkflowBuilder\nflow = WorkflowBuilder("w")\nlog = flow.add("debug.log")\n'
# Each is the last line of a program that is right before it.
WRONG = {
    "flow.connect(log, log.message)": "arg-type",
    'flow.connect("log.message", log.message)': "arg-type",
    "flow.connect(log.message)": "call-arg",
    "flow.connect(log.done, log.after, True)": "call-arg",
    "flow.add(5)": "arg-type",
    "flow.add()": "call-arg",
    'flow.add("debug.log", "log")': "call-arg",
    'flow.add("debug.log", on_error="explode")': "arg-type",
    'flow.add("debug.log", timeout_ms="5")': "arg-type",
    'flow.add("debug.log", inputs=[1])': "arg-type",
    'flow.add("debug.log", retry_policy={"max_attempts": "3"})': "dict-item",
    "flow.settings(max_parallel_nodes=1.5)": "arg-type",
    "flow.settings(parallel=1)": "call-arg",
    'flow.settings(on_error="stop")': "arg-type",
    'flow.add("debug.log", effects="none")': "arg-type",
    'flow.add("debug.log", delivery="exactly_once")': "arg-type",
    'flow.add("debug.log", position=(1, 2))': "arg-type",
    'flow.add("debug.log", config="label")': "arg-type",
    'flow.input("url", {}, required="yes")': "arg-type",
    'flow.input("url", {}, default="x")': "call-arg",
    "flow.connect(log.done.ref, log.after)": "arg-type",
    "flow.trigger(log.message)": "arg-type",
    "flow.var('limit')": "call-arg",
    "log.message()": "operator",
    "flow.build().run()": "attr-defined",
    'flow.trigger("Corn")': "arg-type",
    'flow.input("url", "string")': "arg-type",
    "flow.build().nodes.append(log)": "attr-defined",
    'flow.build().name = "other"': "misc",
    'log.message.ref = "x"': "misc",
    "number: int = log.message.ref": "assignment",
    "WorkflowBuilder()": "call-arg",
}


def mypy(folder: Path, *files: str) -> str:
    """What mypy says with the settings of the project; a cache of its own makes the second run quick."""
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", "--hide-error-context"]
    cache = ["--cache-dir", str(folder / "cache"), "--follow-imports=silent"]
    return api.run([*options, *cache, *files])[0]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy says of each program, by its file's name: one run for all of them."""
    folder = tmp_path_factory.mktemp("typing")
    programs = {"right": RIGHT, **{f"wrong_{place}": f"{BEGIN}{line}\n" for place, line in enumerate(WRONG)}}
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    lines = mypy(folder, *(str(folder / f"{name}.py") for name in programs)).splitlines()
    found: dict[str, list[str]] = {name: [] for name in programs}
    for line in lines:
        name = Path(line.partition(":")[0]).stem
        assert name in found, line
        found[name].append(line)
    return {name: "\n".join(said) for name, said in found.items()}


def test_what_is_right_is_taken_by_strict_mypy(told: dict[str, str]) -> None:
    assert told["right"] == ""


@pytest.mark.parametrize(("place", "line"), list(enumerate(WRONG)), ids=list(WRONG))
def test_what_is_wrong_is_refused_in_its_own_line(told: dict[str, str], place: int, line: str) -> None:
    said = told[f"wrong_{place}"]
    assert f"[{WRONG[line]}]" in said
    assert f".py:{len(BEGIN.splitlines()) + 1}: error: " in said
