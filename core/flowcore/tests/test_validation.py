"""Workflows against node types: unknown types and versions, ports by the four rules, what can fill them, references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from flowcore.documents import parse_workflow, read_workflow, write_workflow
from flowcore.errors import MAX_PROBLEMS, Problem
from flowcore.nodes import Deprecation, NodeType, Port, Ports
from flowcore.validation import (
    NodePorts,
    Reference,
    TypedWorkflow,
    Wiring,
    WorkflowLookup,
    check_types,
    find_cycle,
    find_types,
    no_workflows,
    node_ports,
)
from flowcore.workflows import Workflow
from hypothesis import given, settings
from hypothesis import strategies as st

from core.flowcore.tests.workflow_strategies import workflows


def node_type(type_id: str, inputs: Ports = Ports(), outputs: Ports = Ports(), **more: Any) -> NodeType:  # noqa: B008
    return NodeType(id=type_id, implementation="pack:node", inputs=inputs, outputs=outputs, **more)


def ports(*names: str, **more: Any) -> Ports:
    """Fixed ports; a name that ends in `!` is required."""
    return Ports(ports=tuple(Port(name=name.rstrip("!"), required=name.endswith("!")) for name in names), **more)


TYPES = [
    node_type("http.request", ports("url!", "body"), ports("status", "body", "headers")),
    node_type("transform.json_parse", ports("json!"), ports("parsed")),
    node_type("debug.log", ports("message!"), ports("message")),
    node_type("debug.noop", Ports(rule="any"), Ports(rule="any", passthrough=True)),
    node_type("transform.set", Ports(rule="any"), ports("value")),
    node_type("control.switch", ports("value!"), ports("default", rule="each", pointer="/cases")),
    node_type("control.merge", Ports(ports=(Port(name="values", multiple=True),)), ports("merged")),
    node_type("control.first", Ports(ports=(Port(name="value", join="first", required=True),)), ports("value")),
    node_type(
        "control.subflow",
        ports("again", rule="signature", pointer="/workflow"),
        ports("raw", rule="signature", pointer="/workflow"),
    ),
    node_type("pack.default", Ports(ports=(Port(name="limit", required=True, schema={"default": None}),))),
    node_type("pack.anything", outputs=Ports(rule="any")),
    node_type("time.cron", outputs=ports("tick"), trigger=True),
    node_type("pack.old", deprecation=Deprecation(since="1.2", removal="2.0", use="pack.new")),
    node_type("pack.older", stability="deprecated"),
    node_type("pack.twice", ports("new"), version=2),
    node_type("pack.twice", ports("old"), version=1),
]


def lookup(type_id: str, version: int | None) -> NodeType | None:
    for known in TYPES:
        if known.id == type_id and version in (None, known.version):
            return known
    return None


def workflow(nodes: dict[str, Any], *wires: str, **more: Any) -> Workflow:
    """Nodes by id, each a type or fields; wires as `a.port > b.port`."""
    document: dict[str, Any] = {"name": "w", "nodes": [], "connections": [], **more}
    for node_id, fields in nodes.items():
        given = fields if isinstance(fields, dict) else {"node_type": fields}
        document["nodes"].append({"id": node_id, **given})
    for wire in wires:
        (from_node, from_port), (to_node, to_port) = (end.strip().split(".") for end in wire.split(">"))
        document["connections"].append(
            {"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port}
        )
    read = read_workflow(document)
    assert read.workflow is not None
    return read.workflow


def check(
    checked: Workflow,
    references: Mapping[str, Sequence[Reference]] | None = None,
    find: WorkflowLookup = no_workflows,
) -> list[Problem]:
    typed = TypedWorkflow.of(checked, find_types(checked, lookup), references or {}, find)
    problems = check_types(
        typed,
        lookup,
        lambda: [known.id for known in TYPES],
        lambda type_id: f"Run: pip install flownodes-{type_id.partition('.')[0]}.",
    )
    assert all(problem.message and problem.remedy for problem in problems)
    return problems


def found(checked: Workflow, references: Mapping[str, Sequence[Reference]] | None = None) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in check(checked, references)]


def ports_of_node(
    checked: Workflow, node_id: str, references: Mapping[str, Sequence[Reference]] | None = None
) -> NodePorts:
    wiring = Wiring.of(checked, references or {})
    place = wiring.places[node_id]
    known = lookup(checked.nodes[place].node_type, None)
    assert known is not None
    return node_ports(checked, place, known, wiring)


def names(side: tuple[Port, ...]) -> list[str]:
    return [port.name for port in side]


def refer(node_id: str, port: str, pointer: str = "/nodes/1/config/x") -> Reference:
    return Reference(node_id, port, pointer)


# --- types ------------------------------------------------------------------------------------------------------------


def test_a_workflow_of_known_types_and_ports_has_no_problems() -> None:
    pipeline = workflow(
        {"fetch": "http.request", "parse": "transform.json_parse", "log": "debug.log"},
        "fetch.body > parse.json",
        "parse.parsed > log.message",
        "fetch.done > log.after",
    )
    assert check(pipeline) == []


def test_an_unknown_type_offers_near_ones_and_says_what_to_install() -> None:
    (problem,) = check(workflow({"a": "http.requst"}))
    assert (problem.code, problem.pointer) == ("node_type.unknown", "/nodes/0/node_type")
    assert problem.remedy == "Did you mean 'http.request'? Run: pip install flownodes-http."


def test_the_ports_of_an_unknown_type_are_not_judged() -> None:
    checked = workflow({"a": "no.such", "b": "debug.log"}, "a.what > b.message", "b.message > a.ever")
    assert found(checked) == [("node_type.unknown", "/nodes/0/node_type")]


def test_an_unknown_version_is_told_with_the_newest() -> None:
    (problem,) = check(workflow({"a": {"node_type": "pack.twice", "type_version": 7}}))
    assert (problem.code, problem.pointer) == ("node_type.unknown_version", "/nodes/0/type_version")
    assert "the newest that is installed is 2" in problem.message


def test_each_version_has_its_own_ports_and_the_newest_is_the_default() -> None:
    old = {"node_type": "pack.twice", "type_version": 1, "inputs": {"old": 1}}
    new = {"node_type": "pack.twice", "inputs": {"old": 1}}
    assert found(workflow({"a": old, "b": new})) == [("port.unknown", "/nodes/1/inputs/old")]


def test_deprecated_types_are_warnings() -> None:
    old, older = check(workflow({"a": "pack.old", "b": "pack.older"}))
    assert (old.severity, old.code, old.pointer) == ("warning", "node_type.deprecated", "/nodes/0/node_type")
    assert "deprecated since 1.2 and goes with 2.0" in old.message
    assert old.remedy == "Use 'pack.new' instead."
    assert (older.severity, older.pointer) == ("warning", "/nodes/1/node_type")


def test_a_disabled_node_is_checked_like_any_other() -> None:
    checked = workflow({"a": {"node_type": "debug.lgo", "disabled": True}})
    assert found(checked) == [("node_type.unknown", "/nodes/0/node_type")]


# --- names of ports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "pointer", "remedy"),
    [
        (
            "fetch.bdy > log.message",
            "/connections/0/from_port",
            "Did you mean 'body'? There are 'status', 'body', 'headers', 'done', 'error'.",
        ),
        (
            "fetch.body > log.mesage",
            "/connections/0/to_port",
            "Did you mean 'message'? There are 'message', 'after'.",
        ),
        ("fetch.url > log.message", "/connections/0/from_port", None),
    ],
)
def test_unknown_ports_are_told_on_either_side_with_those_there_are(
    wire: str, pointer: str, remedy: str | None
) -> None:
    checked = workflow(
        {"fetch": "http.request", "log": {"node_type": "debug.log", "inputs": {"message": "hello"}}}, wire
    )
    (problem,) = check(checked)
    assert (problem.code, problem.pointer) == ("port.unknown", pointer)
    assert remedy is None or problem.remedy == remedy


def test_a_fixed_input_of_an_unknown_port_is_told() -> None:
    checked = workflow({"log": {"node_type": "debug.log", "inputs": {"message": 1, "mess/age": 2}}})
    assert found(checked) == [("port.unknown", "/nodes/0/inputs/mess~1age")]


def test_a_fixed_input_beside_a_connection_is_fine() -> None:
    checked = workflow(
        {"fetch": "http.request", "log": {"node_type": "debug.log", "inputs": {"message": "none"}}},
        "fetch.body > log.message",
    )
    assert check(checked) == []


def test_ports_by_each_come_from_the_config() -> None:
    switch = {"node_type": "control.switch", "config": {"cases": [{"port": "big"}, {"port": "small"}]}}
    nodes = {"switch": switch, "log": "debug.log"}
    assert check(workflow(nodes, "switch.big > log.message")) == []
    assert check(workflow(nodes, "switch.default > log.message")) == []
    (problem,) = check(workflow(nodes, "switch.bigg > log.message"))
    assert problem.remedy.startswith("Did you mean 'big'? There are 'default', 'big', 'small'")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([{"port": "ok"}, {"port": "error"}], [("port.reserved", "/1/port")]),
        ([{"port": "done"}, {"port": "after"}], [("port.reserved", "/0/port"), ("port.reserved", "/1/port")]),
        ([{"port": "ok"}, {"port": "default"}], [("port.reserved", "/1/port")]),
        (
            [{"port": "a"}, {"port": "b"}, {"port": "a"}, {"port": "a"}],
            [("port.duplicate", "/2/port"), ("port.duplicate", "/3/port")],
        ),
        (
            [{"port": "${{ vars.p }}"}, {"port": "$${{ p }}"}],
            [("port.computed", "/0/port"), ("port.computed", "/1/port")],
        ),
        ([{"port": "ok"}, "${{ vars.case }}"], [("port.computed", "/1")]),
        ("${{ vars.cases }}", [("port.computed", "")]),
    ],
)
def test_the_ports_by_each_have_names_of_their_own_that_stand_in_the_document(
    cases: Any, expected: list[tuple[str, str]]
) -> None:
    switch = {"node_type": "control.switch", "config": {"cases": cases}}
    problems = check(workflow({"switch": switch, "inactive": {**switch, "disabled": True}}))
    for index, node_id in enumerate(("switch", "inactive")):
        place = f"/nodes/{index}/config/cases"
        ours = [problem for problem in problems if problem.pointer.startswith(place)]
        assert [(problem.code, problem.pointer) for problem in ours] == [
            (code, place + pointer) for code, pointer in expected
        ]
        assert all(problem.severity == "error" and repr(node_id) in problem.message for problem in ours)


def test_a_port_that_is_listed_twice_says_where_it_was_first() -> None:
    switch = {"node_type": "control.switch", "config": {"cases": [{"port": "a"}, {"port": "b"}, {"port": "b"}]}}
    (problem,) = check(workflow({"switch": switch}))
    assert (
        problem.message
        == "The port 'b' of node 'switch' (control.switch) is listed before, at /nodes/0/config/cases/1."
    )


@pytest.mark.parametrize("cases", [None, 1, "x", {}, [], [1, None, "x"], [{}, {"port": None}, {"port": 3}]])
def test_a_list_of_ports_of_another_shape_is_left_to_the_config_schema(cases: Any) -> None:
    assert check(workflow({"switch": {"node_type": "control.switch", "config": {"cases": cases}}})) == []


def test_any_input_port_takes_every_name() -> None:
    checked = workflow({"fetch": "http.request", "set": "transform.set"}, "fetch.body > set.whatever")
    assert check(checked) == []
    assert ports_of_node(checked, "set").any_input


def test_any_output_without_passthrough_gives_every_name() -> None:
    assert check(workflow({"a": "pack.anything", "log": "debug.log"}, "a.whatever > log.message")) == []


@pytest.mark.parametrize("config", [{}, {"workflow": None}, {"workflow": "nobody"}, {"workflow": {"file": "a.json"}}])
def test_a_signature_that_cannot_be_read_has_every_name_on_both_sides(config: dict[str, Any]) -> None:
    sub = {"node_type": "control.subflow", "config": config}
    nodes = {"fetch": "http.request", "sub": sub, "log": "debug.log"}
    assert check(workflow(nodes, "fetch.body > sub.x", "sub.y > log.message")) == []


def test_passthrough_gives_out_what_is_connected_and_what_is_fixed() -> None:
    noop = {"node_type": "debug.noop", "inputs": {"fixed": 1}}
    nodes = {"fetch": "http.request", "noop": noop, "log": "debug.log"}
    checked = workflow(nodes, "fetch.body > noop.text", "fetch.done > noop.after", "noop.text > log.message")
    assert check(checked) == []
    given = ports_of_node(checked, "noop")
    assert (names(given.outputs), given.any_output) == (["text", "fixed"], False)
    (problem,) = check(workflow(nodes, "fetch.body > noop.text", "noop.txt > log.message"))
    assert problem.remedy.startswith("Did you mean 'text'?")


@pytest.mark.parametrize(
    ("inputs", "given", "any_output"),
    [
        (None, ["fixed"], True),
        (True, ["fixed"], True),
        ({"type": "object"}, ["fixed"], True),
        ({"properties": {"url": True, "fixed": True}}, ["fixed", "url"], False),
    ],
    ids=str,
)
def test_passthrough_without_arrows_gives_out_the_execution_inputs(
    inputs: Any, given: list[str], any_output: bool
) -> None:
    checked = workflow({"noop": {"node_type": "debug.noop", "inputs": {"fixed": 1}}}, inputs=inputs)
    found_ports = ports_of_node(checked, "noop")
    assert (names(found_ports.outputs), found_ports.any_output) == (given, any_output)


def test_passthrough_of_a_node_with_only_references_gives_out_fixed_inputs_alone() -> None:
    checked = workflow({"fetch": "http.request", "noop": {"node_type": "debug.noop", "inputs": {"fixed": 1}}})
    given = ports_of_node(checked, "noop", {"noop": [refer("fetch", "body")]})
    assert (names(given.outputs), given.any_output) == (["fixed"], False)


# --- what fills a port ------------------------------------------------------------------------------------------------


def test_a_required_port_that_nothing_fills_is_told() -> None:
    checked = workflow({"fetch": "http.request", "log": "debug.log"}, "fetch.done > log.after")
    (problem,) = check(checked)
    assert (problem.code, problem.pointer) == ("port.required", "/nodes/1")
    assert "requires the input port 'message'" in problem.message
    assert "inputs" in problem.remedy


def test_the_execution_inputs_fill_no_port_of_a_node_with_a_reference() -> None:
    checked = workflow({"fetch": "http.request", "log": "debug.log"})
    assert found(checked) == []
    assert found(checked, {"log": [refer("fetch", "body")]}) == [("port.required", "/nodes/1")]


@pytest.mark.parametrize(
    ("inputs", "fillable"),
    [
        (None, True),
        (True, True),
        (False, False),
        ({"type": "object"}, True),
        ({"properties": {"url": {"type": "string"}}}, True),
        ({"properties": {"message": {}}, "additionalProperties": False}, True),
        ({"properties": {"url": {}}, "additionalProperties": False}, False),
        ({"additionalProperties": False}, False),
        ({"patternProperties": {"^m": {}}, "additionalProperties": False}, True),
    ],
    ids=str,
)
def test_a_node_without_arrows_takes_execution_inputs_that_are_not_ruled_out(inputs: Any, fillable: bool) -> None:
    expected = [] if fillable else [("port.required", "/nodes/0")]
    assert found(workflow({"log": "debug.log"}, inputs=inputs)) == expected


def test_a_default_fills_a_required_port_even_when_it_is_null() -> None:
    checked = workflow({"fetch": "http.request", "a": "pack.default"}, "fetch.done > a.after")
    assert check(checked) == []


def test_a_port_is_not_called_empty_while_a_connection_could_not_be_read() -> None:
    document = write_workflow(workflow({"fetch": "http.request", "log": "debug.log"}, "fetch.done > log.after"))
    document["connections"].append({"from_node": "fetch", "from_port": "body"})
    read = read_workflow(document).workflow
    assert read is not None
    assert check(read) == []


def test_several_connections_into_a_single_port_are_a_warning_at_the_last() -> None:
    nodes = {"a": "http.request", "b": "http.request", "log": "debug.log"}
    (problem,) = check(workflow(nodes, "a.body > log.message", "b.body > log.message"))
    assert (problem.severity, problem.code) == ("warning", "port.several_connections")
    assert problem.pointer == "/connections/1/to_port"
    assert "the last in the document wins" in problem.message


@pytest.mark.parametrize(
    ("type_id", "port"), [("control.merge", "values"), ("control.first", "value"), ("debug.noop", "after")]
)
def test_several_connections_are_fine_where_they_belong(type_id: str, port: str) -> None:
    nodes = {"a": "http.request", "b": "http.request", "c": type_id}
    assert check(workflow(nodes, f"a.body > c.{port}", f"b.body > c.{port}")) == []


def test_a_live_connection_and_another_into_any_port_are_a_warning_too() -> None:
    nodes = {"a": "http.request", "b": "http.request", "c": "debug.noop"}
    assert found(workflow(nodes, "a.body > c.x", "b.body > c.x")) == [
        ("port.several_connections", "/connections/1/to_port")
    ]


# --- references, routes, triggers -------------------------------------------------------------------------------------


def test_references_to_unknown_nodes_and_ports_are_told_where_they_stand() -> None:
    checked = workflow({"fetch": "http.request", "noop": "debug.noop"})
    problems = check(
        checked,
        {"noop": [refer("fetsch", "body", "/nodes/1/config/a"), refer("fetch", "bdy", "/nodes/1/config/b")]},
    )
    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("reference.unknown_node", "/nodes/1/config/a"),
        ("port.unknown", "/nodes/1/config/b"),
    ]
    assert problems[0].remedy == "Did you mean 'fetch'?"
    assert problems[1].remedy.startswith("Did you mean 'body'?")


def test_references_to_ports_that_exist_are_fine_and_after_is_none() -> None:
    checked = workflow({"fetch": "http.request", "noop": "debug.noop"})
    good = [refer("fetch", "body"), refer("fetch", "done"), refer("noop", "done")]
    assert check(checked, {"noop": good}) == []
    assert found(checked, {"noop": [refer("fetch", "after")]}) == [("port.unknown", "/nodes/1/config/x")]


def test_references_of_the_outputs_are_checked_under_the_empty_id() -> None:
    checked = workflow({"fetch": "http.request"})
    references = {"": [refer("fetch", "body", "/outputs/a"), refer("nobody", "x", "/outputs/b")]}
    assert found(checked, references) == [("reference.unknown_node", "/outputs/b")]


def test_a_route_that_nothing_takes_is_told() -> None:
    nodes = {"fetch": {"node_type": "http.request", "on_error": "route"}, "log": "debug.log"}
    assert found(workflow(nodes, "fetch.body > log.message")) == [("node.route_unused", "/nodes/0/on_error")]
    assert found(workflow(nodes, "fetch.error > log.message")) == []


@pytest.mark.parametrize("user", ["log", ""], ids=["a node", "the outputs"])
def test_a_reference_to_the_error_port_takes_the_route_and_needs_it(user: str) -> None:
    routed = workflow({"fetch": {"node_type": "http.request", "on_error": "route"}, "log": "debug.noop"})
    references = {user: [refer("fetch", "error")]}
    assert found(routed, references) == []
    unrouted = workflow({"fetch": "http.request", "log": "debug.noop"})
    assert found(unrouted, references) == [("port.error_without_route", "/nodes/1/config/x")]


def test_a_trigger_that_names_a_node_of_an_ordinary_type_is_told() -> None:
    nodes = {"cron": "time.cron", "log": {"node_type": "debug.log", "inputs": {"message": 1}}}

    def with_trigger(node_id: str) -> Workflow:
        trigger = {"id": "t", "trigger_type": {"type": "Node", "node": node_id}}
        return workflow(nodes, triggers=[trigger])

    assert found(with_trigger("cron")) == []
    assert found(with_trigger("log")) == [("trigger.not_a_trigger", "/triggers/0/trigger_type/node")]


def test_nothing_comes_before_a_trigger() -> None:
    checked = workflow({"noop": "debug.noop", "cron": "time.cron"}, "noop.done > cron.after")
    assert found(checked) == [("trigger.arrow", "/connections/0/to_node")]
    assert found(workflow({"noop": "debug.noop", "cron": "time.cron"}), {"cron": [refer("noop", "done")]}) == [
        ("trigger.arrow", "/nodes/1/config/x")
    ]


# --- everything -------------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_passed_over() -> None:
    checked = workflow({"a": {"node_type": 5}, "b": {}})
    assert check(checked) == []


def test_a_workflow_of_ten_thousand_unknown_types_is_checked_within_bounds() -> None:
    checked = workflow({f"n{i}": f"http.requst{i}" for i in range(10_000)})
    assert len(check(checked)) == MAX_PROBLEMS + 1


@settings(max_examples=50)
@given(st.data())
def test_no_workflow_and_no_references_make_checking_raise(data: st.DataObject) -> None:
    document = write_workflow(data.draw(workflows()))
    type_ids = st.sampled_from([known.id for known in TYPES])
    for node in document["nodes"]:
        node["node_type"] = data.draw(type_ids)
    checked = parse_workflow(document)
    node_ids = st.sampled_from([node.id for node in checked.nodes] + ["nobody"])
    reference = st.builds(
        Reference, node_ids, st.sampled_from(["done", "error", "after", "value"]), st.just("/nodes/0")
    )
    references = data.draw(st.dictionaries(node_ids | st.just(""), st.lists(reference, max_size=3), max_size=3))
    check(checked, references)
    find_cycle(checked, references)
