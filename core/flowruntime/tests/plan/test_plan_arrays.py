"""The arrays that the machine runs on: who follows whom, who waits for how much, who gets what from where."""

import sys
from typing import Any

from flowruntime.plan.model import Follower, Plan, Source, Wire

from core.flowruntime.tests.plan.planning import plan_of


def needs(plan: Plan) -> dict[str, int]:
    return {node.id: plan.need[node.index] for node in plan.nodes}


def followers(plan: Plan) -> dict[str, dict[str, int]]:
    return {
        node.id: {plan.nodes[index].id: arrows for index, arrows in plan.plain_followers[node.index]}
        for node in plan.nodes
    }


def ids(plan: Plan, places: tuple[int, ...]) -> list[str]:
    return [plan.nodes[place].id for place in places]


def using(expression: str, **fields: Any) -> dict[str, Any]:
    """A node whose fixed input refers to another one."""
    return {"node_type": "t.two", "inputs": {"b": f"${{{{ {expression} }}}}"}, **fields}


def test_a_chain_waits_link_by_link() -> None:
    plan = plan_of({"a": "t.noop", "b": "t.noop", "c": "t.noop"}, "a.out -> b.value", "b.out -> c.value")
    assert needs(plan) == {"a": 0, "b": 1, "c": 1}
    assert followers(plan) == {"a": {"b": 1}, "b": {"c": 1}, "c": {}}
    assert (ids(plan, plan.starts), ids(plan, plan.ends)) == (["a"], ["c"])
    assert plan.index == {"a": 0, "b": 1, "c": 2}
    assert plan.nodes[1].wires == (Wire("value", (Source(0, "out"),), multiple=False, group=-1),)
    assert plan.nodes[1].plain_wires == (("value", 0, "out"),)


def test_nodes_are_numbered_in_document_order_whatever_the_order_of_running() -> None:
    plan = plan_of({"last": "t.noop", "first": "t.noop"}, "first.out -> last.value")
    assert [(node.index, node.id) for node in plan.nodes] == [(0, "last"), (1, "first")]
    assert (ids(plan, plan.starts), ids(plan, plan.ends)) == (["first"], ["last"])


def test_a_fan_out_and_in_counts_every_arrow() -> None:
    middle = {f"m{number}": "t.noop" for number in range(3)}
    plan = plan_of(
        {"s": "t.noop", **middle, "e": "t.many"},
        *(f"s.out -> {name}.value" for name in middle),
        *(f"{name}.out -> e.values" for name in reversed(middle)),
    )
    assert needs(plan) == {"s": 0, "m0": 1, "m1": 1, "m2": 1, "e": 3}
    assert followers(plan)["s"] == {"m0": 1, "m1": 1, "m2": 1}
    # A port with several values keeps the document's order of connections.
    assert plan.nodes[4].wires == (
        Wire("values", (Source(3, "out"), Source(2, "out"), Source(1, "out")), multiple=True, group=-1),
    )
    assert plan.nodes[4].plain_wires is None


def test_several_arrows_between_two_nodes_are_merged_and_all_counted() -> None:
    plan = plan_of({"a": "t.two", "b": "t.two"}, "a.x -> b.a", "a.y -> b.b")
    assert (needs(plan), followers(plan)) == ({"a": 0, "b": 2}, {"a": {"b": 2}, "b": {}})
    assert plan.nodes[1].plain_wires == (("a", 0, "x"), ("b", 0, "y"))


def test_two_connections_into_one_port_are_one_wire() -> None:
    plan = plan_of({"a": "t.two", "b": "t.noop"}, "a.x -> b.value", "a.y -> b.value")
    assert plan.need == (0, 2)
    assert plan.nodes[1].wires == (Wire("value", (Source(0, "x"), Source(0, "y")), multiple=False, group=-1),)
    assert plan.nodes[1].plain_wires is None


def test_an_expression_that_names_a_node_is_an_arrow() -> None:
    plan = plan_of({"a": "t.two", "b": using("nodes.a.x || nodes.a.y")})
    assert (needs(plan), followers(plan)) == ({"a": 0, "b": 2}, {"a": {"b": 2}, "b": {}})
    assert plan.nodes[1].references == (Source(0, "x"), Source(0, "y"))
    assert plan.nodes[1].referenced == (("a", "x", Source(0, "x")), ("a", "y", Source(0, "y")))
    assert plan.nodes[1].plain_wires is None
    assert ids(plan, plan.ends) == ["b"]


def test_one_port_named_in_several_places_is_one_arrow() -> None:
    plan = plan_of(
        {
            "a": "t.noop",
            "b": {
                "node_type": "t.http",
                "config": {"headers": {"h": "${{ nodes.a.out }}", "i": "${{ nodes.a.out }}"}},
                "inputs": {"url": "${{ nodes.a.out.url }}"},
            },
        }
    )
    assert needs(plan) == {"a": 0, "b": 1}
    assert plan.nodes[1].referenced == (("a", "out", Source(0, "out")),)


def test_a_reference_beside_a_connection_from_the_same_port_is_an_arrow_of_its_own() -> None:
    plan = plan_of({"a": "t.noop", "b": using("nodes.a.out")}, "a.out -> b.a")
    assert (needs(plan), followers(plan)["a"]) == ({"a": 0, "b": 2}, {"b": 2})
    # References don't decide whether a node with connections runs, so the common case holds.
    assert plan.nodes[1].plain_wires == (("a", 0, "out"),)


def test_after_brings_order_and_no_value() -> None:
    plan = plan_of({"a": "t.noop", "b": "t.two", "c": "t.noop"}, "a.out -> c.after", "b.done -> c.after")
    assert needs(plan)["c"] == 2
    assert plan.nodes[2].wires == ()
    assert plan.nodes[2].after == (Source(0, "out"), Source(1, None))
    assert plan.nodes[2].plain_wires is None
    assert plan.nodes[2].from_inputs == ()


def test_done_is_a_source_without_port() -> None:
    plan = plan_of({"a": "t.noop", "b": "t.noop", "c": using("nodes.a.done")}, "a.done -> b.value")
    assert plan.nodes[1].wires == (Wire("value", (Source(0, None),), multiple=False, group=-1),)
    assert plan.nodes[1].plain_wires is None
    assert plan.nodes[2].referenced == (("a", "done", Source(0, None)),)


def test_error_is_a_source_like_any_other_port() -> None:
    plan = plan_of({"a": {"node_type": "t.noop", "on_error": "route"}, "b": "t.noop"}, "a.error -> b.value")
    assert plan.nodes[1].plain_wires == (("value", 0, "error"),)
    assert plan.nodes[0].then == "route"


def test_a_race_is_one_unit_settled_through_its_group() -> None:
    plan = plan_of(
        {"a": "t.noop", "b": "t.two", "c": "t.race", "d": "t.race"},
        "a.out -> c.value",
        "b.x -> c.value",
        "b.y -> c.other",
        "a.done -> d.value",
    )
    assert needs(plan) == {"a": 0, "b": 0, "c": 2, "d": 1}
    assert plan.group_sizes == (2, 1)
    assert plan.racing_followers[0] == (Follower(2, "out", 0), Follower(3, None, 1))
    assert plan.racing_followers[1] == (Follower(2, "x", 0),)
    assert followers(plan)["b"] == {"c": 1}
    assert [wire.group for wire in plan.nodes[2].wires] == [0, -1]
    assert plan.nodes[2].plain_wires is None
    assert ids(plan, plan.ends) == ["c", "d"]


def test_references_of_the_outputs_are_kept_and_make_no_arrow() -> None:
    outputs = {"r": "${{ nodes.a.out }}", "also": ["${{ nodes.a.out }} ${{ nodes.a.done }}"]}
    plan = plan_of({"a": "t.noop"}, outputs=outputs)
    assert plan.output_references == (("a", "out", Source(0, "out")), ("a", "done", Source(0, None)))
    assert plan.outputs is not None
    assert plan.outputs.resolve({"nodes": {"a": {"out": 1, "done": True}}}) == {"r": 1, "also": ["1 true"]}
    assert ids(plan, plan.ends) == ["a"]


def test_without_outputs_there_is_nothing_to_resolve() -> None:
    plan = plan_of({"a": "t.noop"})
    assert (plan.outputs, plan.output_references) == (None, ())


def test_triggers_are_listed_in_document_order() -> None:
    plan = plan_of({"a": "t.noop", "t": "t.trigger", "u": "t.trigger"}, "t.body -> a.value")
    assert ids(plan, plan.triggers) == ["t", "u"]
    assert ids(plan, plan.starts) == ["t", "u"]


def test_no_limit_of_parallel_nodes_is_the_largest_one() -> None:
    assert plan_of({"a": "t.noop"}).max_parallel_nodes == 10
    assert plan_of({"a": "t.noop"}, settings={"max_parallel_nodes": 3}).max_parallel_nodes == 3
    assert plan_of({"a": "t.noop"}, settings={"max_parallel_nodes": None}).max_parallel_nodes == sys.maxsize


def test_the_types_used_are_recorded_with_their_versions() -> None:
    plan = plan_of({"a": "t.old", "b": "t.noop", "c": "t.noop"})
    assert plan.types == {"t.old": 2, "t.noop": 1}
    assert plan_of({"a": {"node_type": "t.old", "type_version": 1}}).types == {"t.old": 1}
