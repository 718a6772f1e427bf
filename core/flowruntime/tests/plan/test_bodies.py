"""Documents that stand inside a document: read, checked and compiled with it."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.errors import FatalNodeError, Problem
from flowcore.nodes import Ports
from flowcore.values import MAX_DEPTH, freeze
from flowruntime.authoring import Body
from flowruntime.plan import Plan, require_plan

from core.flowruntime.tests.plan.planning import TYPES, check, document, node_type, object_schema, plan_of

STEP = {"nodes": [{"id": "step", "node_type": "t.noop"}]}


def loop(body: Any, **config: Any) -> dict[str, Any]:
    return {"node_type": "t.loop", "config": {"body": body, **config}}


def body_of(plan: Plan, index: int = 0, field: str = "body") -> Body:
    config = plan.nodes[index].static_config
    assert config is not None
    body = config[field]
    assert isinstance(body, Body)
    return body


def found(*nodes: Any, **fields: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in problems_of(*nodes, **fields)]


def problems_of(*nodes: Any, **fields: Any) -> tuple[Problem, ...]:
    return check(document({f"n{number}": given for number, given in enumerate(nodes)}, **fields)).problems


def nested(depth: int) -> dict[str, Any]:
    """A document with so many others inside it, one in the other."""
    made: dict[str, Any] = {"name": "innermost", "nodes": [{"id": "n", "node_type": "t.noop"}]}
    for _ in range(depth):
        made = {"name": "w", "nodes": [{"id": "n", **loop(made)}]}
    return made


def test_a_document_in_a_config_reaches_the_node_as_a_body_with_its_plan() -> None:
    plan = plan_of({"l": loop({"id": "b", "name": "Body", **STEP})})
    body = body_of(plan)
    assert (body.workflow.id, body.workflow.name, body.name) == ("b", "Body", None)
    assert isinstance(body.plan, Plan)
    assert body.plan.workflow is body.workflow
    assert [node.id for node in body.plan.nodes] == ["step"]


def test_a_body_without_a_name_is_called_after_its_node() -> None:
    workflow = body_of(plan_of({"each page": loop(STEP)})).workflow
    assert (workflow.name, workflow.id) == ("each page body", "each-page-body")


def test_the_document_around_a_body_keeps_it_as_it_was_written() -> None:
    checked = check(document({"l": loop(STEP)}))
    assert checked.workflow is not None
    assert checked.workflow.nodes[0].config == {"body": STEP}
    assert plan_of({"l": loop(STEP)}).nodes[0].written_config == {"body": STEP, "until": None}


def test_a_body_stands_beside_expressions_in_the_same_config() -> None:
    plan = plan_of({"a": "t.noop", "b": {"node_type": "t.branches", "config": {"branches": [
        {"flow": STEP, "label": "${{ vars.x }}"}, {"flow": STEP},
    ]}}}, vars={"x": 5})  # fmt: skip
    planned = plan.nodes[1]
    resolved = planned.config.resolve({"vars": {"x": 5}})
    assert isinstance(resolved, dict)
    first, second = resolved["branches"]
    assert first["label"] == 5
    assert first["flow"].plan is not second["flow"].plan
    assert planned.check_config is not None
    planned.check_config(resolved)


def test_bodies_in_bodies_are_compiled_to_any_depth_that_a_document_can_have() -> None:
    deepest = (MAX_DEPTH - 4) // 4  # each is four levels of JSON further in
    checked = check(nested(deepest))
    assert checked.problems == ()
    assert checked.plan is not None
    plan, depth = checked.plan, 0
    while plan.nodes[0].type_id == "t.loop":
        plan, depth = body_of(plan).plan, depth + 1
    assert depth == deepest


def test_seventeen_documents_in_each_other_are_refused_with_the_limit() -> None:
    (problem,) = check(nested(17)).problems
    assert problem.code == "json.too_deep"
    assert "64" in problem.message
    assert "document" in problem.remedy


def test_all_problems_of_bodies_come_at_once_with_their_places_in_the_whole_document() -> None:
    inner = {
        "nodes": [{"id": "x", "node_type": "t.nop"}, {"id": "y", "node_type": "t.http", "config": {"metod": "GET"}}]
    }
    outer = {"nodes": [{"id": "n", **loop(inner)}, {"id": "n", "node_type": "t.noop"}], "extra": 1}
    problems = problems_of("t.nop", loop(outer))
    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("node_type.unknown", "/nodes/0/node_type"),
        ("document.unknown_field", "/nodes/1/config/body/extra"),
        ("node_type.unknown", "/nodes/1/config/body/nodes/0/config/body/nodes/0/node_type"),
        ("config.unknown_key", "/nodes/1/config/body/nodes/0/config/body/nodes/1/config/metod"),
        ("node.duplicate_id", "/nodes/1/config/body/nodes/1/id"),
    ]
    assert "Did you mean 'method'?" in problems[3].remedy


@pytest.mark.parametrize("body", [5, True, [STEP], 1.5])
def test_what_can_be_no_document_is_told_once(body: Any) -> None:
    (problem,) = problems_of(loop(body))
    assert (problem.code, problem.pointer) == ("workflow.form", "/nodes/0/config/body")


def test_what_the_schema_refuses_in_place_of_a_document_is_not_told_twice() -> None:
    assert found({"node_type": "t.sub", "config": {"workflow": 5}}) == [("config.schema", "/nodes/0/config/workflow")]


def test_null_in_place_of_a_document_is_left_to_the_schema() -> None:
    plan = plan_of({"s": {"node_type": "t.sub", "config": {"workflow": None}}})
    assert plan.nodes[0].static_config == {"workflow": None}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/nodes", "document.required"),
        ({"nodes": []}, "/nodes", "document.empty"),
        ({"nodes": 5}, "/nodes", "document.type"),
        ({"name": 5, **STEP}, "/name", "document.type"),
        ({"file": 5}, "/file", "document.unknown_field"),
        ({"file": "a.json", "name": "b"}, "/file", "document.unknown_field"),
    ],
)
def test_an_object_that_is_no_document_is_told_what_it_lacks(body: Any, pointer: str, code: str) -> None:
    assert (code, f"/nodes/0/config/body{pointer}") in found(loop(body))


def test_a_file_that_nobody_read_says_who_reads_files() -> None:
    (problem,) = problems_of(loop({"file": "each.json"}))
    assert (problem.code, problem.pointer) == ("workflow.file", "/nodes/0/config/body")
    assert "'each.json'" in problem.message
    for command in ("flow run", "flow validate", "flow workflows add"):
        assert command in problem.remedy


def test_a_body_does_not_see_the_nodes_around_it() -> None:
    inner = {"nodes": [{"id": "x", "node_type": "t.noop", "inputs": {"value": "${{ nodes.n0.out }}"}}]}
    assert found("t.noop", loop(inner)) == [
        ("reference.unknown_node", "/nodes/1/config/body/nodes/0/inputs/value"),
    ]


def test_a_body_sees_input_vars_run_and_secrets() -> None:
    config = {"headers": {name: f"${{{{ {name}.x }}}}" for name in ("input", "vars", "run", "secrets")}}
    assert found(loop({"nodes": [{"id": "x", "node_type": "t.http", "config": config}]}), vars={"x": "1"}) == []


def test_a_body_has_the_vars_around_it_with_its_own_on_top() -> None:
    innermost = {"vars": {"c": "inner"}, **STEP}
    middle = {"vars": {"b": "middle", "c": "middle"}, "nodes": [{"id": "m", **loop(innermost)}]}
    plan = plan_of({"l": loop(middle)}, vars={"a": "outer", "b": "outer"})
    child = body_of(plan).plan
    assert child.workflow.vars == {"a": "outer", "b": "middle", "c": "middle"}
    assert body_of(child).plan.workflow.vars == {"a": "outer", "b": "middle", "c": "inner"}


def test_a_cycle_inside_a_body_is_told_there() -> None:
    wires = [
        {"from_node": a, "from_port": "out", "to_node": b, "to_port": "value"} for a, b in (("x", "y"), ("y", "x"))
    ]
    body = {"nodes": [{"id": name, "node_type": "t.noop"} for name in "xy"], "connections": wires}
    assert found(loop(body)) == [("workflow.cycle", "/nodes/0/config/body/connections/1")]


def test_the_types_of_a_plan_are_those_of_its_bodies_too() -> None:
    plan = plan_of({"l": loop({"nodes": [{"id": "x", "node_type": "t.two"}, {"id": "y", **loop(STEP)}]})})
    assert plan.types == {"t.loop": 1, "t.two": 1, "t.noop": 1}
    assert body_of(plan).plan.types == {"t.loop": 1, "t.two": 1, "t.noop": 1}


def test_settings_that_count_for_the_outermost_document_only_are_a_warning_in_a_body() -> None:
    settings = {"concurrency": 1, "priority": 2, "on_error_workflow": "nobody", "max_parallel_nodes": 3}
    assert found(loop({"settings": settings, **STEP})) == [
        ("settings.root_only", f"/nodes/0/config/body/settings/{name}")
        for name in ("concurrency", "on_error_workflow", "priority")
    ]


def test_what_this_version_does_not_do_yet_is_told_in_bodies_too() -> None:
    inner = {"nodes": [{"id": "x", "node_type": "t.noop", "cache": {"ttl_ms": 5}}]}
    assert found(loop(inner)) == [("document.not_supported_yet", "/nodes/0/config/body/nodes/0/cache")]


def test_tagged_values_are_read_in_bodies_as_in_any_document() -> None:
    inner = {"nodes": [{"id": "x", "node_type": "t.http", "config": {"method": {"type": "String", "value": "POST"}}}]}
    assert body_of(plan_of({"l": loop({"type": "Json", "value": inner})})).plan.nodes[0].static_config == {
        "method": "POST"
    }


def test_ports_of_a_node_that_runs_a_document_are_those_that_it_declares() -> None:
    child = {
        "inputs": {"properties": {"url": {}, "limit": {"default": 3}}, "required": ["url"]},
        "outputs": {"page": 1},
        **STEP,
    }
    sub = {"node_type": "t.sub", "config": {"workflow": child}}
    plan = plan_of({"a": "t.noop", "s": sub, "z": "t.noop"}, "a.out -> s.url", "s.page -> z.value")
    planned = plan.nodes[1]
    assert (planned.must_have, planned.defaults, planned.output_ports) == (("url",), {"limit": 3}, frozenset({"page"}))
    problems = check(document({"a": "t.noop", "s": sub, "z": "t.noop"}, "a.out -> s.ulr", "s.pge -> z.value")).problems
    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("port.required", "/nodes/1"),
        ("port.unknown", "/connections/0/to_port"),
        ("port.unknown", "/connections/1/from_port"),
    ]
    assert "Did you mean 'page'?" in problems[2].remedy


def test_the_rest_of_a_config_with_a_document_is_checked_as_resolved_conditions_included() -> None:
    schema = object_schema(body={"x-workflow": True, "required": ["nodes", "name"]}, mode={}, times={})
    condition = {
        "if": {"properties": {"mode": {"const": "times"}}},
        "then": {"properties": {"times": {"type": "integer"}}},
    }
    repeat = node_type("t.repeat", config_schema=freeze({**schema, "allOf": [condition]}))
    config = {"body": {"name": "b", **STEP}, "mode": "times", "times": "${{ input.n }}"}
    source = document({"r": {"node_type": "t.repeat", "config": config}})
    (planned,) = require_plan(check(source, [*TYPES, repeat])).nodes
    assert planned.check_config is not None
    planned.check_config(planned.config.resolve({"input": {"n": 3}}))
    with pytest.raises(FatalNodeError, match="times"):
        planned.check_config(planned.config.resolve({"input": {"n": "3"}}))


def test_inputs_of_a_body_that_are_no_schema_are_told_where_they_stand_though_a_value_is_given() -> None:
    types = (
        *TYPES,
        node_type(
            "t.call", Ports(rule="signature", pointer="/flow"), config_schema=object_schema(flow={"x-workflow": True})
        ),
    )
    body = {**STEP, "inputs": {"type": "object", "properties": {"a": {"type": "strin"}}}}
    node = {"node_type": "t.call", "config": {"flow": body}, "inputs": {"a": 1}}
    (problem,) = check(document({"n": node}), types).problems
    assert (problem.code, problem.pointer) == ("document.schema", "/nodes/0/config/flow/inputs")
