"""Cycles: every independent one is found and named once, however long, and nothing else is called one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from flowcore.documents import read_workflow, sort_problems
from flowcore.validation import Reference, find_cycle
from flowcore.workflows import Connection, NodeId, Workflow, WorkflowId, WorkflowNode
from hypothesis import given
from hypothesis import strategies as st


def graph(size: int, *arrows: tuple[int, int]) -> Workflow:
    """A workflow of nodes "0", "1", … connected as said."""
    return Workflow(
        id=WorkflowId("w"),
        name="w",
        nodes=tuple(WorkflowNode(id=NodeId(str(number)), node_type="t") for number in range(size)),
        connections=tuple(
            Connection(from_node=NodeId(str(source)), from_port="a", to_node=NodeId(str(target)), to_port="b")
            for source, target in arrows
        ),
    )


def circles(workflow: Workflow, references: Mapping[str, Sequence[Reference]] | None = None) -> list[list[str]]:
    """The nodes of each cycle that is told, as its message names them."""
    problems = find_cycle(workflow, references or {})
    assert all(problem.code == "workflow.cycle" and problem.remedy for problem in problems)
    named = [problem.message.partition(": ")[2].rstrip(".") for problem in problems]
    return [[name.strip("'") for name in circle.split(" → ")] for circle in named]


def test_a_cycle_is_named_whole_and_placed_at_the_step_that_closes_it() -> None:
    workflow = graph(4, (3, 0), (0, 1), (1, 2), (2, 0))
    (problem,) = find_cycle(workflow, {})
    assert problem.message == "The nodes wait for each other in a circle: '0' → '1' → '2' → '0'."
    assert problem.pointer == "/connections/3"


def test_connections_and_references_together_make_a_cycle() -> None:
    workflow = graph(2, (0, 1))
    references = {"0": [Reference("1", "body", "/nodes/0/config/url")]}
    (problem,) = find_cycle(workflow, references)
    assert problem.pointer == "/nodes/0/config/url"
    assert circles(workflow, references) == [["0", "1", "0"]]


def test_a_node_that_refers_to_itself_is_a_cycle() -> None:
    references = {"0": [Reference("0", "body", "/nodes/0/config/url")]}
    assert circles(graph(1), references) == [["0", "0"]]


def test_a_node_connected_to_itself_is_told_once_with_what_reading_said() -> None:
    connection = {"from_node": "a", "from_port": "x", "to_node": "a", "to_port": "y"}
    document = {"name": "w", "nodes": [{"id": "a", "node_type": "t"}], "connections": [connection]}
    read = read_workflow(document)
    assert read.workflow is not None
    problems = find_cycle(read.workflow, {})
    assert sort_problems([*read.problems, *problems]) == problems


def test_independent_cycles_are_told_each_and_entangled_ones_once() -> None:
    independent = graph(5, (3, 4), (4, 3), (0, 1), (1, 0), (1, 3))
    assert circles(independent) == [["0", "1", "0"], ["3", "4", "3"]]
    entangled = graph(4, (0, 1), (1, 2), (2, 3), (3, 0), (1, 0))
    assert circles(entangled) == [["0", "1", "0"]]


def test_what_only_leads_to_or_from_a_cycle_is_not_in_it() -> None:
    assert circles(graph(5, (0, 1), (1, 2), (2, 1), (2, 3), (3, 4))) == [["1", "2", "1"]]


def test_two_ways_to_the_same_node_are_no_cycle() -> None:
    assert circles(graph(4, (0, 1), (0, 2), (1, 3), (2, 3), (0, 3))) == []


@pytest.mark.parametrize("size", [10_000])
def test_chains_of_any_length_are_followed(size: int) -> None:
    chain = [(number, number + 1) for number in range(size - 1)]
    assert circles(graph(size, *chain)) == []
    (circle,) = circles(graph(size, *chain, (size - 1, 0)))
    assert circle == [*map(str, range(size)), "0"]


def test_dangling_arrows_are_passed_over() -> None:
    assert circles(graph(1, (0, 7), (7, 0)), {"8": [Reference("0", "a", "/x")], "0": [Reference("9", "a", "/x")]}) == []


@given(
    st.integers(1, 6).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=12),
            st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=4),
        )
    )
)
def test_the_cycles_told_are_those_that_a_plain_search_finds(
    case: tuple[int, list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    size, arrows, referring = case
    references = {
        str(target): [
            Reference(str(source), "a", f"/r/{source}/{target}") for source, node in referring if node == target
        ]
        for _, target in referring
    }
    steps = {(str(source), str(target)) for source, target in [*arrows, *referring]}
    told = circles(graph(size, *arrows), references)
    # Each is a cycle of steps that exist, through different nodes.
    for circle in told:
        assert all(step in steps for step in pairwise(circle))
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
    # There is one for each set of nodes that reach each other, and none besides.
    reach = reachable(size, steps)
    tangles = {frozenset(b for b in reach[a] if a in reach[b]) for a in reach if a in reach[a]}
    assert sorted(sorted(next(t for t in tangles if circle[0] in t)) for circle in told) == sorted(map(sorted, tangles))
    assert [circle[0] for circle in told] == sorted(min(tangle, key=int) for tangle in tangles)


def reachable(size: int, steps: set[tuple[str, str]]) -> dict[str, set[str]]:
    """For each node those that one or more steps lead to."""
    reach = {str(node): {target for source, target in steps if source == str(node)} for node in range(size)}
    for _ in range(size):
        for found in reach.values():
            found.update(*[reach[node] for node in found])
    return reach
