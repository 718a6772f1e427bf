"""Follows documents on the path of the founding document: definition, stored object, pending flow, task, and back.

At each station the document is compared as JSON, byte for byte, and read by a connection of its own, as another process
would.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flowcore.contracts import ExecutionRecord, StoredWorkflow
from flowcore.documents import parse_workflow, write_workflow
from flowcore.events import ExecutionId, NodeCompleted, WorkflowCompleted, WorkflowStarted
from flowcore.values import Value, read_json, write_json
from flowcore.workflows import Workflow
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.stores import store_for

from tests.http_server import serving
from tests.integration.test_founding_documents import DATA_FLOW, PARALLEL, wise

pytestmark = pytest.mark.anyio

#: Written as documents are written: fields in their order, nothing that is a default. Names of keys are out of order on
#: purpose, and so are connections and ports.
DEMANDING = (
    '{"id":"a b/ü","name":"Demanding \U0001f600","description":"",'
    '"inputs":{"type":"object","properties":{"z":{"default":1.0},"a":{}},"required":["a"]},'
    '"vars":{"z":9223372036854775807,"a":-9223372036854775808,"float":1.0,"tiny":5e-324,"minus":-0.0,"big":1e+300},'
    '"nodes":['
    '{"id":"second","node_type":"local.echo","config":{"say":{"b":[1,1.0,true,null,"${{ input.a }}"],"a":{"":{}}}},'
    '"position":{"x":-1.5,"y":0},"x-colour":"red"},'
    '{"id":"first","node_type":"local.echo","config":{"say":"\\u0000 \u2028 é"},"x-editor":{"folded":[]}}],'
    '"connections":['
    '{"from_node":"first","from_port":"result","to_node":"second","to_port":"value","x-bend":[2,1]},'
    '{"from_node":"first","from_port":"done","to_node":"second","to_port":"after"}],'
    '"triggers":[{"id":"t","trigger_type":{"type":"Manual"},"enabled":false,"x-t":{}}],'
    '"outputs":{"z":"${{ nodes.second.result }}","a":null},'
    '"settings":{"max_parallel_nodes":null,"on_error":{"RetryWorkflow":{"max_attempts":2}},"x-note":1},'
    '"x-editor":{"zoom":1.0,"b":1,"a":2}}'
)
#: What comes back as the very value that it was, and not as one that equals it.
VALUES = (
    '{"a":[9223372036854775807,-9223372036854775808,1,1.0,true,-0.0,5e-324,1e+300,"\\u0000\u2028\U0001f600"],'
    '"z":{"b":1,"a":2}}'
)


class Seen:
    """Remembers the documents that nodes were shown."""

    def __init__(self) -> None:
        self.documents: list[str] = []

        @node("local.echo", effects="pure")
        async def echo(ctx: Context, value: Value = None, *, say: Value = None) -> Value:
            """Give the config, and remember the document."""
            self.documents.append(text(ctx.workflow))
            return say

        @node("local.hold", effects="pure")
        async def hold(ctx: Context) -> None:
            """Keep others waiting."""
            await ctx.sleep(3600)

        self.nodes = [echo, hold]


def text(workflow: Workflow | None) -> str:
    assert workflow is not None
    return write_json(write_workflow(workflow))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'flow.db'}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(wise) as server:
        yield server


def stored_elsewhere(url: str, workflow_id: str) -> StoredWorkflow:
    """What another connection finds in the library."""
    store = store_for(url, read_only=True)
    store.open()
    stored = store.workflows.get(workflow_id)
    store.close()
    assert stored is not None
    return stored


def record_elsewhere(url: str, execution_id: ExecutionId) -> ExecutionRecord:
    """What another connection finds beside the log."""
    store = store_for(url, read_only=True)
    store.open()
    record = store.record(execution_id)
    store.close()
    assert record is not None
    return record


def given(document: str | dict[str, Any]) -> tuple[str, str]:
    """A document as text, and as it is written."""
    source = document if isinstance(document, str) else json.dumps(document)
    return source, text(parse_workflow(source))


def test_a_document_that_is_written_as_documents_are_comes_back_byte_for_byte() -> None:
    assert given(DEMANDING)[1] == DEMANDING


@pytest.mark.parametrize("document", [DATA_FLOW, PARALLEL, DEMANDING], ids=["data flow", "parallel", "demanding"])
async def test_a_document_is_the_same_at_every_station(url: str, server: str, document: str | dict[str, Any]) -> None:
    source, written = given(document)
    workflow_id = parse_workflow(source).id
    seen = Seen()
    inputs: dict[str, Value] = {"url": server, "a": read_json(VALUES).value}

    # Definition → stored object, and back.
    async with Runtime(url, nodes=seen.nodes) as runtime:
        runtime.workflows.add(source)
    assert text(stored_elsewhere(url, workflow_id).workflow) == written

    # Stored object → pending flow: another execution holds the only place.
    async with Runtime(url, nodes=seen.nodes, max_executions=1) as runtime:
        holder = await runtime.submit({"name": "hold", "nodes": [{"id": "h", "node_type": "local.hold"}]})
        execution_id = await runtime.submit(workflow_id, inputs)
        pending = record_elsewhere(url, execution_id)
        assert text(pending.workflow) == written
        assert runtime.snapshot(execution_id).status == "pending"

        # Pending flow → running flow → tasks → result.
        runtime.cancel(holder)
        result = await runtime.wait(execution_id)
    assert result.status == "succeeded"
    assert set(seen.documents) <= {written}

    # And back: what was kept of it.
    ended = record_elsewhere(url, execution_id)
    assert (text(ended.workflow), ended.status) == (written, "succeeded")
    assert text(stored_elsewhere(url, workflow_id).workflow) == written
    async with Runtime(url, nodes=seen.nodes) as runtime:
        events = [event async for event in runtime.follow(execution_id)]
        assert runtime.snapshot(execution_id).result(len(ended.workflow.nodes)) == result
    started, completed = events[0], events[-1]
    assert isinstance(started, WorkflowStarted)
    assert isinstance(completed, WorkflowCompleted)
    assert (started.workflow_id, started.workflow_version) == (workflow_id, 1)
    assert write_json(started.inputs["a"]) == VALUES
    assert write_json(completed.outputs) == write_json(result.outputs)
    nodes = [event.node_id for event in events if isinstance(event, NodeCompleted)]
    assert sorted(nodes) == sorted(node.id for node in ended.workflow.nodes)


async def test_the_values_of_the_demanding_document_go_through_tasks_and_events_unchanged(url: str) -> None:
    seen = Seen()
    async with Runtime(url, nodes=seen.nodes) as runtime:
        runtime.workflows.add(DEMANDING)
        result = await runtime.run("a b/ü", {"a": read_json(VALUES).value})
    assert seen.documents == [DEMANDING, DEMANDING]
    said = f'{{"b":[1,1.0,true,null,{VALUES}],"a":{{"":{{}}}}}}'
    assert write_json(result.outputs) == f'{{"z":{said},"a":null}}'
    async with Runtime(url, nodes=seen.nodes) as runtime:
        events = [event async for event in runtime.follow(result.execution_id)]
    outputs = {event.node_id: event.outputs for event in events if isinstance(event, NodeCompleted)}
    assert write_json(outputs) == f'{{"first":{{"result":"\\u0000 \u2028 é"}},"second":{{"result":{said}}}}}'


async def test_the_workflows_that_an_execution_names_are_kept_with_it_byte_for_byte(url: str) -> None:
    seen = Seen()
    calling = {
        "name": "calling",
        "nodes": [{"id": "c", "node_type": "control.subflow", "config": {"workflow": "a b/ü"}, "inputs": {"a": 1}}],
    }
    async with Runtime(url, nodes=seen.nodes) as runtime:
        runtime.workflows.add_all([DEMANDING, calling])
        result = await runtime.run("calling")
    record = record_elsewhere(url, result.execution_id)
    assert {name: text(workflow) for name, workflow in record.named.items()} == {"a b/ü": DEMANDING}
    assert seen.documents == [DEMANDING, DEMANDING]


ECHO = '''
from typing import Any
from flowruntime.authoring import node

@node(effects="pure")
async def echo(value: Any = None, *, say: Any = None) -> Any:
    """Give the config."""
    return say
'''


def test_the_command_line_gives_back_the_bytes_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(DEMANDING, encoding="utf-8")
    (tmp_path / "echo.py").write_text(ECHO, encoding="utf-8")

    def flow(*words: str) -> str:
        command = [sys.executable, "-m", "flowcli", *words, "--db", "sqlite:///flow.db"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    flow("workflows", "add", "flow.json", "--nodes", "echo.py")
    assert flow("workflows", "show", "a b/ü") == write_json(read_json(DEMANDING).value, indent=2) + "\n"
    outputs = flow("run", "a b/ü", "--nodes", "echo.py", "--input", f'{{"a":{VALUES}}}')
    said = f'{{"b":[1,1.0,true,null,{VALUES}],"a":{{"":{{}}}}}}'
    assert write_json(read_json(outputs).value) == f'{{"z":{said},"a":null}}'
