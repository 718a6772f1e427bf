"""What a plan says of a single node: inputs, config, policies."""

from typing import Any

import pytest
from flowcore.errors import FatalNodeError
from flowcore.policies import RetryPolicy
from flowruntime.authoring import DataExpression, Expression
from flowruntime.plan.model import PlannedNode

from core.flowruntime.tests.plan.planning import plan_of


def node(node_type: str, *connections: str, **fields: Any) -> PlannedNode:
    """The node `n` beside a node `a`, with connections from one to the other."""
    settings = fields.pop("settings", {})
    nodes = {"a": "t.noop", "n": {"node_type": node_type, **fields}}
    return plan_of(nodes, *connections, settings=settings).nodes[1]


def test_a_node_without_arrows_takes_execution_inputs_for_its_ports() -> None:
    assert node("t.two").from_inputs == ("a", "b")
    assert node("t.any").from_inputs is None
    assert node("t.trigger").from_inputs is None


@pytest.mark.parametrize(
    ("connections", "fields"),
    [
        (["a.out -> n.a"], {}),
        (["a.done -> n.after"], {}),
        ([], {"inputs": {"a": "${{ nodes.a.out }}"}}),
    ],
)
def test_a_node_with_arrows_takes_none(connections: list[str], fields: dict[str, Any]) -> None:
    assert node("t.two", *connections, **fields).from_inputs == ()


def test_a_required_port_that_only_its_connection_can_fill_must_have_it() -> None:
    assert node("t.need", "a.out -> n.value").must_have == ("value",)
    assert node("t.need", "a.out -> n.value", "a.done -> n.extra").must_have == ("value",)
    assert node("t.need", "a.out -> n.value", inputs={"value": None}).must_have == ()
    assert node("t.default", "a.out -> n.value").must_have == ()
    assert node("t.need", "a.out -> n.extra", inputs={"value": 1}).must_have == ()
    assert node("t.many", "a.out -> n.values").must_have == ("values",)
    assert node("t.noop", "a.out -> n.value").must_have == ()


def test_defaults_of_ports_are_kept() -> None:
    assert node("t.default").defaults == {"value": [1]}
    assert node("t.noop").defaults == {}


def test_fixed_inputs_are_compiled() -> None:
    planned = node("t.two", inputs={"a": 5, "b": "${{ input.n }}"})
    assert planned.fixed is not None
    assert planned.fixed.resolve({"input": {"n": 6}}) == {"a": 5, "b": 6}
    assert node("t.two").fixed is None


@pytest.mark.parametrize(
    ("planned", "direct"),
    [
        (node("t.noop", "a.out -> n.value"), True),
        (node("t.http", "a.out -> n.url", config={"method": "POST"}), True),
        (node("t.trigger"), False),
        (node("t.noop"), False),
        (node("t.two", "a.out -> n.a", inputs={"b": 1}), False),
        (node("t.default", "a.out -> n.value"), False),
        (node("t.http", "a.out -> n.url", config={"headers": {"h": "${{ input.h }}"}}), False),
    ],
)
def test_a_node_that_only_takes_what_its_wires_bring_is_direct(planned: PlannedNode, *, direct: bool) -> None:
    assert planned.direct is direct


def test_a_config_is_filled_with_the_defaults_of_its_schema() -> None:
    planned = node("t.http", config={"timeout_ms": 5})
    assert planned.static_config == {"timeout_ms": 5, "method": "GET"}
    assert planned.written_config == planned.static_config
    assert (planned.check_config, planned.static_fields) == (None, None)
    assert node("t.noop").static_config == {}


def test_a_config_with_expressions_is_resolved_for_each_attempt_and_checked_then() -> None:
    planned = node("t.http", config={"timeout_ms": "${{ vars.t }}"})
    assert planned.static_config is None
    assert planned.written_config == {"timeout_ms": "${{ vars.t }}", "method": "GET"}
    resolved = planned.config.resolve({"vars": {"t": 5}})
    assert resolved == {"timeout_ms": 5, "method": "GET"}
    assert planned.check_config is not None
    planned.check_config(resolved)
    with pytest.raises(FatalNodeError) as caught:
        planned.check_config(planned.config.resolve({"vars": {"t": "soon"}}))
    assert caught.value.code == "config.schema"
    assert caught.value.message == (
        "\"soon\" is not of type \"number\", in the config of node 'n' (t.http), as resolved at '/timeout_ms'."
    )
    assert caught.value.remedy.endswith("`flow nodes show t.http` prints the schema.")


def test_the_check_at_run_time_shows_no_secret() -> None:
    planned = node("t.http", config={"timeout_ms": "${{ secrets.T }}", "retries": "${{ secrets.T }}"})
    assert planned.check_config is not None
    with pytest.raises(FatalNodeError) as caught:
        planned.check_config(planned.config.resolve({"secrets": {"T": "hunter2"}}))
    assert "hunter2" not in str(caught.value)
    assert "in the config of node 'n'" in caught.value.message


def test_bare_expressions_come_compiled_also_inside_arrays() -> None:
    planned = node("t.switch", config={"cases": [{"port": "x", "when": "inputs.value > `5`"}]})
    assert planned.static_config is not None
    when = planned.static_config["cases"][0]["when"]
    assert type(when) is Expression
    assert when({"inputs": {"value": 6}}) is True
    assert planned.written_config["cases"][0]["when"] == "inputs.value > `5`"
    assert planned.output_ports == frozenset({"x"})


def test_an_expression_over_data_comes_as_its_own_type() -> None:
    planned = node("t.ask", config={"expression": "nodes[?secrets]"})
    assert planned.static_config is not None
    assert type(planned.static_config["expression"]) is DataExpression


def test_bare_expressions_beside_dynamic_fields_pass_the_check_at_run_time() -> None:
    planned = node("t.switch", config={"cases": [{"port": "p", "when": "inputs.value"}], "match": "${{ vars.how }}"})
    assert planned.check_config is not None
    planned.check_config(planned.config.resolve({"vars": {"how": "all"}}))


def test_static_fields_alone_are_resolved_for_initialize() -> None:
    config = {
        "dsn": "db://${{ secrets.DB }}",
        "pool": {"name": "${{ nodes.a.out }}", "size": "${{ vars.size }}"},
        "limit": "${{ inputs.query }}",
    }
    planned = node("t.pool", config=config)
    assert planned.static_fields is not None
    roots = {"secrets": {"DB": "pw"}, "vars": {"size": 3}}
    assert planned.static_fields.resolve(roots) == {"dsn": "db://pw", "pool": {"size": 3}}
    assert planned.static_fields.roots == {"secrets", "vars"}
    full = planned.config.resolve({**roots, "nodes": {"a": {"out": "p"}}, "inputs": {"query": 1}})
    assert full == {"dsn": "db://pw", "pool": {"name": "p", "size": 3}, "limit": 1}


def test_static_fields_without_expressions_and_with_defaults_are_given_too() -> None:
    planned = node("t.pool", config={"dsn": "db://", "pool": {"name": "p"}})
    assert planned.static_fields is not None
    assert planned.static_fields.resolve({}) == {"dsn": "db://", "pool": {"size": 5}}
    assert node("t.pool", config={"limit": 1}).static_fields is None


def test_the_document_overrides_the_policies_of_the_type() -> None:
    planned = node("t.http", retry_policy={"delay_ms": 20}, timeout_ms=100)
    assert planned.retry_policy == RetryPolicy(max_attempts=5, delay_ms=20)
    assert planned.timeout_us == 100_000
    assert node("t.http").timeout_us == 30_000_000
    assert node("t.noop").timeout_us == 300_000_000
    assert node("t.noop").retry_policy.max_attempts == 1


def test_effects_come_from_the_node_or_the_type_or_its_config() -> None:
    assert node("t.noop").effects == "pure"
    assert node("t.two").effects == "write"
    assert node("t.two", effects="read").effects == "read"
    assert node("t.http").effects == "read"  # by the default of the config
    assert node("t.http", config={"method": "POST"}).effects == "write"
    assert node("t.http", config={"method": "${{ vars.m }}"}).effects == "write"


def test_what_follows_a_failure_comes_from_the_node_or_the_workflow() -> None:
    assert node("t.noop").then == "stop"
    assert node("t.noop", on_error="continue").then == "continue"
    assert node("t.noop", settings={"on_error": "ContinueOnError"}).then == "continue"
    assert node("t.noop", settings={"on_error": "ContinueOnError"}, on_error="stop").then == "stop"


def test_a_disabled_node_says_why_it_is_skipped() -> None:
    assert node("t.noop", disabled=True).skipped_because == "it is disabled"
    assert node("t.noop").skipped_because is None


def test_output_ports_are_those_of_the_type_its_config_or_any() -> None:
    assert node("t.two").output_ports == frozenset({"x", "y"})
    assert node("t.any").output_ports is None
    assert node("t.pass", "a.out -> n.p", "a.out -> n.q").output_ports == frozenset({"p", "q"})
