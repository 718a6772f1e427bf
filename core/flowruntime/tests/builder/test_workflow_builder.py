"""Checks what the builder makes, and that it refuses what is wrong at the line where it stands."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flowcore.documents import parse_workflow, write_workflow
from flowcore.errors import WorkflowInvalid
from flowcore.values import write_json
from flowruntime import Runtime, WorkflowBuilder
from flowruntime.authoring import Port, node
from flowruntime.builder import UnknownPort
from flowruntime.registry import Registry

REGISTRY = Registry.discover(cache_dir=None)


@node("parts", effects="pure", outputs=[Port(name="set-cookie"), Port(name="id")])
def parts(text: str, *, timeout_ms: int = 5) -> dict[str, str]:
    return {"set-cookie": text, "id": text}


def builder(name: str = "Built") -> WorkflowBuilder:
    return WorkflowBuilder(name, registry=REGISTRY, nodes=[parts])


def pipeline() -> WorkflowBuilder:
    flow = builder("API data pipeline")
    url = flow.input("url", {"type": "string"}, required=True)
    limit = flow.var("limit", 10)
    fetch = flow.add("http.request", id="fetch", method="GET", inputs={"url": url}, retry_policy={"max_attempts": 5})
    parse = flow.add("transform.json_parse", description="Reads it")
    log = flow.add("debug.log", label=f"at most {limit} of {fetch.status.ref}", on_error="continue")
    flow.connect(fetch.body, parse.json)
    flow.connect(parse.parsed, log.message)
    flow.output("result", parse.parsed)
    flow.output("both", [fetch.status.ref, 1])
    flow.settings(max_parallel_nodes=None, on_error={"RetryWorkflow": {"max_attempts": 2}})
    flow.trigger("Cron", expression="0 6 * * *")
    return flow


def refused(action: Callable[[], object]) -> WorkflowInvalid:
    """The error of an action, which must come from the line of the caller."""
    with pytest.raises(WorkflowInvalid) as caught:
        action()
    outer = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == __file__]
    assert outer[-1].name == "<lambda>"
    return caught.value


# --- what is made --------------------------------------------------------------------------------------


def test_a_built_workflow_is_what_its_json_is_read_to() -> None:
    built = pipeline().build()
    assert parse_workflow(write_json(pipeline().to_json())) == built
    assert parse_workflow(write_json(write_workflow(built))) == built


def test_everything_that_was_said_stands_in_the_document() -> None:
    assert pipeline().to_json() == {
        "id": "api-data-pipeline",
        "name": "API data pipeline",
        "inputs": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
        "vars": {"limit": 10},
        "nodes": [
            {
                "id": "fetch",
                "node_type": "http.request",
                "type_version": 1,
                "config": {"method": "GET"},
                "inputs": {"url": "${{ input.url }}"},
                "retry_policy": {"max_attempts": 5},
            },
            {
                "id": "json_parse",
                "node_type": "transform.json_parse",
                "type_version": 1,
                "description": "Reads it",
            },
            {
                "id": "log",
                "node_type": "debug.log",
                "type_version": 1,
                "config": {"label": "at most ${{ vars.limit }} of ${{ nodes.fetch.status }}"},
                "on_error": "continue",
            },
        ],
        "connections": [
            {"from_node": "fetch", "from_port": "body", "to_node": "json_parse", "to_port": "json"},
            {"from_node": "json_parse", "from_port": "parsed", "to_node": "log", "to_port": "message"},
        ],
        "triggers": [{"id": "trigger", "trigger_type": {"type": "Cron", "expression": "0 6 * * *"}}],
        "outputs": {"result": "${{ nodes.json_parse.parsed }}", "both": ["${{ nodes.fetch.status }}", 1]},
        "settings": {"max_parallel_nodes": None, "on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    }


async def test_a_built_workflow_runs() -> None:
    flow = builder()
    hello = flow.add("transform.set", fields={"text": "hello"})
    quoted = flow.add("local.parts", id="two parts", inputs={"text": hello.value.path.join(("${{ ", ".text }}"))})
    flow.connect(hello.done, quoted.after)
    flow.output("said", quoted["set-cookie"])
    async with Runtime(nodes=[parts]) as runtime:
        result = await runtime.run(flow.build())
    assert result.outputs == {"said": "hello"}


def test_ids_are_made_of_the_type_and_numbered() -> None:
    flow = builder()
    flow.add("debug.log", id="log_2")
    assert [flow.add("debug.log").id for _ in range(3)] == ["log", "log_3", "log_4"]


def test_expressions_are_quoted_where_it_is_needed() -> None:
    flow = builder()
    made = flow.add("local.parts", id='a "b"', inputs={"text": "x"})
    assert made["set-cookie"].ref == '${{ nodes."a \\"b\\""."set-cookie" }}'
    assert flow.input("my-url") == '${{ input."my-url" }}'
    assert made["id"].path == 'nodes."a \\"b\\"".id'
    flow.output("x", made["set-cookie"])
    assert flow.build().outputs is not None


def test_builders_and_workflows_stand_for_documents_in_configs() -> None:
    body = builder("Body")
    body.output("length", body.add("transform.set", fields={"n": "${{ input.item }}"}).value)
    for given in (body, body.build(), body.to_json()):
        flow = builder()
        loop = flow.add("control.loop", body=given, inputs={"items": [1, 2]})
        flow.output("all", loop.results)
        assert flow.to_json()["nodes"][0]["config"]["body"] == body.to_json()


def test_ports_of_configs_are_there() -> None:
    flow = builder()
    switch = flow.add("control.switch", cases=[{"port": "big", "when": "inputs.value > `9`"}], inputs={"value": 5})
    flow.connect(switch.big, flow.add("debug.log").message)
    flow.connect(switch["default"], flow.add("debug.log").message)
    with pytest.raises(UnknownPort, match=r"has no port 'bigg'"):
        switch.bigg  # noqa: B018
    assert len(flow.build().connections) == 2


def test_nodes_that_pass_on_what_they_get_may_be_connected_in_any_order() -> None:
    flow = builder()
    start, delay, log = flow.add("transform.set", fields={}), flow.add("time.delay"), flow.add("debug.log")
    flow.connect(delay.text, log.message)
    flow.connect(start.value, delay.text)
    flow.build()


def test_a_second_connection_into_a_port_is_allowed_when_said_so_or_when_the_port_takes_several() -> None:
    flow = builder()
    check = flow.add("control.if", condition="inputs.value", inputs={"value": 1})
    log, merge = flow.add("debug.log"), flow.add("control.merge")
    flow.connect(check["true"], log.message)
    flow.connect(check["false"], log.message, several=True)
    flow.connect(check["true"], merge.values)
    flow.connect(check["false"], merge.values)
    flow.connect(check["true"], merge.after)
    flow.connect(log.done, merge.after)
    assert len(flow.build().connections) == 6


def test_an_option_that_is_called_like_a_config_field_needs_the_config_apart() -> None:
    flow = builder()
    assert "is an option of every node and a config field" in str(
        refused(lambda: flow.add("local.parts", timeout_ms=7))
    )
    made = flow.add("local.parts", config={"timeout_ms": 7}, timeout_ms=9, inputs={"text": "x"})
    entry = flow.build().node(made.id)
    assert (entry.config, entry.timeout_ms) == ({"timeout_ms": 7}, 9)


def test_what_is_given_may_be_changed_afterwards() -> None:
    flow, fields = builder(), {"a": [1]}
    flow.add("transform.set", fields=fields)
    fields["a"].append(2)
    document = flow.to_json()
    document["nodes"].clear()
    assert flow.build().nodes[0].config == {"fields": {"a": [1]}}


def test_a_config_value_that_looks_tagged_stays_what_it_is() -> None:
    flow, lookalike = builder(), {"type": "String", "value": "x"}
    flow.add("transform.set", fields=lookalike)
    assert flow.build().nodes[0].config == {"fields": lookalike}


def test_what_every_node_has_is_there_by_attribute() -> None:
    flow = builder()
    first, second = flow.add("debug.noop"), flow.add("debug.noop", on_error="route")
    flow.connect(first.done, second.after)
    flow.connect(second.error, flow.add("debug.log").message)
    flow.build()


def test_handles_behave_in_python() -> None:
    log = builder().add("debug.log")
    assert not hasattr(log, "nothing")
    assert repr(log) == "<node 'log' (debug.log)>"
    assert repr(log.message) == "<port 'message' of node 'log'>"
    with pytest.raises(TypeError, match="by name"):
        list(log)


def test_no_pack_and_no_event_loop_is_loaded() -> None:
    code = (
        "import sys; from flowruntime import WorkflowBuilder; flow = WorkflowBuilder('w'); "
        "a = flow.add('http.request', inputs={'url': 'x'}); flow.connect(a.body, flow.add('debug.log').message); "
        "flow.build(); print([n for n in sys.modules if n.startswith(('flownodes', 'anyio', 'asyncio'))])"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout == "[]\n"


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (lambda flow: flow.add("debug.lgo"), "node_type.unknown", "Did you mean 'debug.log'"),
        (lambda flow: flow.add("nothing"), "node_type.unknown", "not installed"),
        (lambda flow: flow.add("debug.log", type_version=9), "node_type.unknown_version", "version 9"),
        (lambda flow: flow.add("debug.log", lable="x"), "config.unknown_key", "Did you mean 'label'"),
        (lambda flow: flow.add("debug.log", label=5), "config.schema", "label"),
        (lambda flow: flow.add("debug.log", label="${{ vrs.a }}"), "expression.root", "vars"),
        (lambda flow: flow.add("debug.log", label={1, 2}), "json.type", "a set is not JSON"),
        (lambda flow: flow.add("debug.log", inputs={"mesage": 1}), "port.unknown", "Did you mean 'message'"),
        (lambda flow: flow.add("debug.log", retry_policy={"max": 1}), "document.unknown_field", "'max'"),
        (lambda flow: flow.add("debug.log", timeout_ms=-1), "document.type", "timeout_ms"),
        (lambda flow: flow.add("debug.log", on_error="explode"), "document.type", "explode"),
        (lambda flow: flow.add("debug.log", id="a"), "node.duplicate_id", "'a' is taken"),
        (lambda flow: flow.add("debug.log", id=""), "document.empty", "id"),
        (lambda flow: flow.add("control.loop", body={"nodes": [{"id": "x"}]}), "document.required", "node_type"),
        (lambda flow: flow.add("control.loop", body=WorkflowBuilder("b")), "document.empty", "at least one node"),
        (lambda flow: flow.input("url"), "inputs.duplicate", "'url'"),
        (lambda flow: flow.var("x", float("nan")), "json.not_a_number", "nan"),
        (lambda flow: flow.settings(max_parallel_nodes=0), "document.type", "max_parallel_nodes"),
        (lambda flow: flow.settings(on_error="Explode"), "document.type", "on_error"),
        (lambda flow: flow.trigger("Corn"), "document.type", "Did you mean 'Cron'"),
        (lambda flow: flow.trigger("Cron"), "document.required", "expression"),
        (lambda flow: flow.trigger("Manual", id="t"), "trigger.duplicate_id", "'t' is taken"),
        (lambda flow: flow.trigger(flow.add("debug.log")), "trigger.not_a_trigger", "starts no workflow"),
    ],
)
def test_a_part_that_is_wrong_is_refused_at_once(wrong: Any, code: str, words: str) -> None:
    flow = builder()
    flow.add("debug.noop", id="a")
    flow.input("url")
    flow.trigger("Manual", id="t")
    before = flow.to_json()
    error = refused(lambda: wrong(flow))
    assert error.problems[0].code == code
    assert words in f"{error.problems[0].message} {error.problems[0].remedy}"
    if code != "trigger.not_a_trigger":  # its line has added a node
        assert flow.to_json() == before


def two() -> tuple[WorkflowBuilder, Any, Any]:
    flow = builder()
    return flow, flow.add("http.request", inputs={"url": "x"}), flow.add("transform.json_parse")


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (lambda flow, a, b: flow.connect(a.bdy, b.json), "port.unknown", "Did you mean 'body'"),
        (lambda flow, a, b: flow.connect(b.json, a.body), "port.direction", "It is an input"),
        (lambda flow, a, b: flow.connect(a.body, b.parsed), "port.direction", "It is an output"),
        (lambda flow, a, b: flow.connect(a.after, b.json), "port.direction", "no output port 'after'"),
        (lambda flow, a, b: flow.connect(a.body, b.done), "port.direction", "no input port 'done'"),
        (lambda flow, a, b: flow.connect(a.error, b.json), "port.error_without_route", "does not route"),
        (lambda flow, a, b: flow.connect(a.body, a.body), "workflow.cycle", "'request' → 'request'"),
        (lambda flow, a, b: flow.connect(b.parsed, a.url), "workflow.cycle", "'json_parse' → 'request'"),
        (lambda flow, a, b: flow.connect(a.headers, b.json), "port.several_connections", "one value"),
        (lambda flow, a, b: flow.connect(a.body, b.json), "connection.duplicate", "the same as"),
        (lambda flow, a, b: flow.connect(a.body, two()[2].json), "connection.unknown_node", "another builder"),
        (lambda flow, a, b: flow.output("x", b.json), "port.direction", "Node 'json_parse'"),
        (lambda flow, a, b: b.json.ref, "port.direction", "no output port 'json'"),
    ],
)
def test_a_connection_that_is_wrong_is_refused_at_once(wrong: Any, code: str, words: str) -> None:
    flow, a, b = two()
    flow.connect(a.body, b.json)
    before = flow.to_json()
    error = refused(lambda: wrong(flow, a, b))
    assert error.problems[0].code == code
    assert words in f"{error.problems[0].message} {error.problems[0].remedy}"
    assert flow.to_json() == before


def test_a_long_circle_names_all_its_nodes() -> None:
    flow = builder()
    nodes = [flow.add("debug.inspect", id=f"n{place}") for place in range(50)]
    for first, second in pairwise(nodes):
        flow.connect(first.value, second.value)
    error = refused(lambda: flow.connect(nodes[-1].value, nodes[0].value))
    assert error.problems[0].message.count("→") == 50


def test_what_only_the_whole_can_show_is_refused_by_build() -> None:
    flow = builder()
    flow.add("transform.json_parse", id="parse")
    flow.add("debug.log", label="${{ nodes.gone.x }}")
    error = refused(lambda: flow.build())  # noqa: PLW0108 - the line of the caller is what is looked at
    assert {problem.code for problem in error.problems} >= {"reference.unknown_node"}
    assert refused(lambda: builder().build()).problems[0].code == "document.empty"


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (lambda flow: flow.input("a", {"type": "strin"}), "document.schema", "The schema of the input 'a'"),
        (lambda flow: flow.input("a", {"$ref": "https://example.org/a"}), "document.schema", "another document"),
        (lambda flow: flow.input("a", {"type": "object", "properties": 5}), "document.schema", "'/properties'"),
        (lambda flow: flow.var("a", holding_itself()), "json.depth", "holds itself"),
        (lambda flow: WorkflowBuilder(""), "document.empty", "'name' must not be empty"),
        (lambda flow: WorkflowBuilder("w", id=5), "document.type", "'id' must be a string"),  # type: ignore[arg-type]
        (lambda flow: flow.add("http.request", metod="GET"), "config.unknown_key", "Did you mean 'method'?"),
    ],
)
def test_what_is_said_about_the_whole_is_refused_at_once_with_its_remedy(wrong: Any, code: str, words: str) -> None:
    error = refused(lambda: wrong(builder()))
    assert error.problems[0].code == code
    assert words in str(error)


def holding_itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def test_an_input_may_refer_to_one_that_is_declared_later() -> None:
    flow = pipeline()
    flow.input("copy", {"$ref": "#/properties/first"})
    error = refused(lambda: flow.build())  # noqa: PLW0108 - as below
    assert error.problems[0].code == "document.schema"
    flow.input("first", {"type": "integer"})
    assert flow.build().inputs["properties"]["copy"] == {"$ref": "#/properties/first"}  # type: ignore[index]


def test_nodes_are_no_ports() -> None:
    flow, a, b = two()
    with pytest.raises(TypeError, match="takes two ports, and got <node 'request'"):
        flow.connect(a, b)


def test_an_error_of_build_says_at_which_lines_the_faulty_parts_were_made() -> None:
    flow = builder()
    flow.add("debug.log", id="fine", inputs={"message": 1})
    first = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    flow.add("debug.log", inputs={"message": "${{ nodes.gone.x }}"})
    flow.output("out", "${{ nodes.away.y }}")
    error = refused(lambda: flow.build())  # noqa: PLW0108 - as above
    assert error.__notes__ == [
        f"/nodes/1 was made at {__file__}, line {first}.",
        f"/outputs/out was made at {__file__}, line {first + 1}.",
    ]


def test_a_node_may_refer_to_one_that_comes_later() -> None:
    flow = builder()
    flow.add("debug.log", id="log", inputs={"message": "${{ nodes.later.value }}"})
    flow.add("transform.set", id="later", fields={})
    assert [node.id for node in flow.build().nodes] == ["log", "later"]


def test_a_document_read_back_from_a_file_is_equal(tmp_path: Path) -> None:
    flow = builder()
    flow.add("debug.noop")
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(flow.to_json()), encoding="utf-8")
    assert parse_workflow(file.read_bytes()) == flow.build()


def test_the_output_of_a_node_stands_for_its_expression_wherever_one_may_stand() -> None:
    flow = builder()
    made = flow.add("local.parts", inputs={"text": "a"})
    flow.add("debug.log", id="log", inputs={"message": {"cookies": [made["set-cookie"]]}})
    flow.add("transform.set", id="set", fields={"cookie": made["set-cookie"]})
    flow.output("all", {"log": flow.add("debug.noop", id="end")["x"]})
    log, fields, _ = flow.build().nodes[1:]
    reference = '${{ nodes.parts."set-cookie" }}'
    assert log.inputs == {"message": {"cookies": [reference]}}
    assert fields.config == {"fields": {"cookie": reference}}
    assert flow.build().outputs == {"all": {"log": "${{ nodes.end.x }}"}}


def test_what_is_only_an_input_stands_for_no_expression() -> None:
    flow = builder()
    made = flow.add("local.parts", inputs={"text": "a"})
    with pytest.raises(UnknownPort, match="no output port 'text'"):
        flow.add("debug.log", inputs={"message": made.text})


def test_values_that_are_none_are_told_with_their_place_in_the_document() -> None:
    flow = builder()
    flow.add("debug.noop")
    with pytest.raises(WorkflowInvalid) as caught:
        flow.add("transform.set", fields={"a": float("nan")})
    assert caught.value.problems[0].pointer == "/nodes/1/config/fields/a"


def test_a_graph_that_is_built_from_its_end_takes_no_longer_for_each_node_when_it_is_large() -> None:
    def microseconds(count: int) -> float:
        flow = builder()
        begin = time.process_time()
        nodes = [flow.add("debug.noop") for _ in range(count)]
        for before, after in reversed(list(pairwise(nodes))):
            flow.connect(before.x, after.x)
        return (time.process_time() - begin) / count * 1e6

    microseconds(100)
    assert microseconds(3000) < 2.5 * microseconds(300)
