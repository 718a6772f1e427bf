"""Workflows of a library that nodes run by name: found, checked once, compiled once, in circles too."""

from __future__ import annotations

from typing import Any

import pytest
from flowruntime.authoring import Body
from flowruntime.plan import Plan, require_plan

from core.flowruntime.tests.plan.planning import Shelf, check, document

STEP = {"name": "Step", "nodes": [{"id": "step", "node_type": "t.two"}]}
BROKEN = {"name": "Broken", "nodes": [{"id": "x", "node_type": "t.nop"}, {"id": "y", "node_type": "t.nop"}]}


def run(name: Any) -> dict[str, Any]:
    return {"node_type": "t.loop", "config": {"body": name}}


def calling(*names: Any) -> dict[str, Any]:
    return document({f"n{number}": run(name) for number, name in enumerate(names)})


def body_of(plan: Plan, index: int = 0) -> Body:
    config = plan.nodes[index].static_config
    assert config is not None
    body = config["body"]
    assert isinstance(body, Body)
    return body


def test_a_name_of_the_library_becomes_a_body_with_its_plan() -> None:
    library = Shelf(step=STEP)
    plan = require_plan(check(calling("step"), library=library))
    body = body_of(plan)
    assert (body.name, body.workflow) == ("step", library.get("step"))
    assert body.plan.workflow is body.workflow
    assert plan.names == {"step"}
    assert plan.types == {"t.loop": 1, "t.two": 1}


def test_a_workflow_named_twice_is_compiled_once() -> None:
    library = Shelf(step=STEP, other=calling("step"))
    plan = require_plan(check(calling("step", "step", "other"), library=library))
    first, second, other = (body_of(plan, index).plan for index in range(3))
    assert first is second
    assert body_of(other).plan is first


def test_a_named_workflow_does_not_see_the_vars_of_who_names_it() -> None:
    plan = require_plan(check({**calling("step"), "vars": {"a": 1}}, library=Shelf(step={**STEP, "vars": {"b": 2}})))
    assert body_of(plan).plan.workflow.vars == {"b": 2}


def test_a_workflow_may_name_itself() -> None:
    plan = require_plan(check(calling("again"), library=Shelf(again=calling("again"))))
    again = body_of(plan).plan
    assert body_of(again).plan is again
    assert again.names == plan.names == {"again"}


def test_workflows_may_name_each_other_in_a_circle() -> None:
    library = Shelf(a=calling("b", {"nodes": [{"id": "in", **run("c")}]}), b=calling("a"), c=STEP)
    plan = require_plan(check(calling("b"), library=library))
    b = body_of(plan).plan
    a = body_of(b).plan
    assert body_of(a).plan is b
    inline = body_of(a, 1).plan
    assert body_of(inline).plan.workflow is library.get("c")
    assert plan.names == b.names == a.names == {"a", "b", "c"}
    assert inline.names == {"c"}
    assert plan.types == {"t.loop": 1, "t.two": 1}


def test_a_chain_of_a_thousand_names_is_followed() -> None:
    library = Shelf(**{f"w{number}": calling(f"w{number + 1}") for number in range(1000)}, w1000=STEP)
    assert len(require_plan(check(calling("w0"), library=library)).names) == 1001


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    (problem,) = check(calling("stepp"), library=Shelf(step=STEP)).problems
    assert (problem.code, problem.pointer) == ("workflow.unknown", "/nodes/0/config/body")
    assert problem.remedy == "Did you mean 'step'?"


def test_without_a_library_a_name_is_told_how_to_write_a_file() -> None:
    (problem,) = check(calling("step")).problems
    assert problem.code == "workflow.unknown"
    assert '{"file": ' in problem.remedy


def test_an_expression_in_place_of_a_name_is_told_to_be_none() -> None:
    (problem,) = check(calling("${{ vars.name }}"), library=Shelf(step=STEP)).problems
    assert problem.code == "workflow.unknown"
    assert "no expression" in problem.remedy


def test_problems_of_a_named_workflow_are_told_in_one_where_it_is_named() -> None:
    problems = check(calling("broken", "broken"), library=Shelf(broken=BROKEN)).problems
    assert [problem.pointer for problem in problems] == ["/nodes/0/config/body", "/nodes/1/config/body"]
    assert problems[0].message.startswith(
        "The workflow 'broken' cannot run: /nodes/0/node_type: Node 'x' is of the type"
    )
    assert problems[0].message.endswith("(and 1 more)")


def test_a_workflow_that_names_a_broken_one_cannot_run_either() -> None:
    library = Shelf(a=calling("b"), b=calling("broken"), broken=BROKEN)
    (problem,) = check(calling("a"), library=library).problems
    assert problem.message.startswith("The workflow 'a' cannot run: 'broken', which it runs: /nodes/0/node_type: ")


def test_an_unknown_name_in_a_named_workflow_is_told_where_that_one_is_named() -> None:
    (problem,) = check(calling("a"), library=Shelf(a=calling("gone"))).problems
    assert (problem.code, problem.pointer) == ("workflow.broken", "/nodes/0/config/body")
    assert "There is no workflow 'gone' in the library." in problem.message


def test_warnings_of_a_named_workflow_are_its_own_affair() -> None:
    warned = {"name": "w", "nodes": [{"id": "x", "node_type": "t.noop", "cache": {"ttl_ms": 5}}]}
    assert check(calling("warned"), library=Shelf(warned=warned)).problems == ()


def test_a_broken_workflow_that_names_itself_tells_its_problems_once() -> None:
    broken = {"id": "a", **document({"n": run("a"), "x": "t.nop"})}
    assert [problem.code for problem in check(broken, library=Shelf(a=broken)).problems] == ["node_type.unknown"]


@pytest.mark.parametrize("library", [None, Shelf(other=STEP)])
def test_an_unknown_workflow_for_errors_is_told(library: Shelf | None) -> None:
    source = document({"a": "t.noop"}, settings={"on_error_workflow": "othr"})
    (problem,) = check(source, library=library).problems
    assert (problem.code, problem.pointer) == ("workflow.unknown", "/settings/on_error_workflow")
    if library is not None:
        assert problem.remedy == "Did you mean 'other'?"


def test_the_workflow_for_errors_is_compiled_for_the_root_alone() -> None:
    tell = {**STEP, "settings": {"on_error_workflow": "step"}}
    library = Shelf(tell=tell, step=STEP, child={**STEP, "settings": {"on_error_workflow": "gone"}})
    plan = require_plan(check({**calling("child"), "settings": {"on_error_workflow": "tell"}}, library=library))
    assert plan.on_error is not None
    assert (plan.on_error.name, plan.on_error.workflow) == ("tell", library.get("tell"))
    assert plan.on_error.plan.on_error is None
    assert body_of(plan).plan.on_error is None
    assert plan.names == {"child", "tell"}


def test_a_broken_workflow_for_errors_is_told() -> None:
    source = document({"a": "t.noop"}, settings={"on_error_workflow": "broken"})
    (problem,) = check(source, library=Shelf(broken=BROKEN)).problems
    assert (problem.code, problem.pointer) == ("workflow.broken", "/settings/on_error_workflow")


def test_ports_of_a_node_that_runs_a_named_workflow_are_those_that_it_declares() -> None:
    child = {**STEP, "inputs": {"properties": {"url": {}}, "additionalProperties": False}}
    sub = {"node_type": "t.sub", "config": {"workflow": "child"}}
    nodes = {"a": "t.noop", "s": sub, "z": "t.noop"}
    good = document(nodes, "a.out -> s.url", "s.output -> z.value")
    assert check(good, library=Shelf(child=child)).problems == ()
    bad = document(nodes, "a.out -> s.url2", "s.result -> z.value")
    assert [problem.pointer for problem in check(bad, library=Shelf(child=child)).problems] == [
        "/connections/0/to_port",
        "/connections/1/from_port",
    ]


def test_no_port_is_called_unknown_while_the_workflow_itself_is() -> None:
    sub = {"node_type": "t.sub", "config": {"workflow": "gone"}}
    source = document({"a": "t.noop", "s": sub}, "a.out -> s.anything")
    assert [problem.code for problem in check(source, library=Shelf(step=STEP)).problems] == ["workflow.unknown"]
