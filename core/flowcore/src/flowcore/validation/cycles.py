"""Finds nodes that wait for each other in a circle."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from flowcore.errors import Problem, ProblemList
from flowcore.validation.ports import Reference
from flowcore.workflows import Workflow, cycle_problem

__all__ = ["find_cycle"]

#: For each node the nodes that follow it, all by their places, each with the first arrow that leads to it: the place
#: of a connection, or the pointer of an expression.
_Graph: TypeAlias = list[dict[int, int | str]]


def find_cycle(workflow: Workflow, references: Mapping[str, Sequence[Reference]]) -> list[Problem]:
    """Every independent circle of connections and references once, as an error that names all its nodes.

    Nodes that can reach each other by several circles are one; a shortest circle through the first of them is
    told. Costs time linear in nodes and arrows while there is no circle; chains may have any length.
    """
    places: dict[str, int] = {}
    for index, node in enumerate(workflow.nodes):
        places.setdefault(node.id, index)
    if not references and _only_forward(workflow, places):
        return []
    graph = _graph_of(workflow, references, places)
    problems = ProblemList()
    for members in _tangles(graph):
        start = min(members)
        circle = _shortest_circle(graph, members, start)
        last_step = graph[circle[-1]][start]
        pointer = f"/connections/{last_step}" if isinstance(last_step, int) else last_step
        problems.append(cycle_problem([workflow.nodes[place].id for place in circle], pointer))
    return problems.told()


def _only_forward(workflow: Workflow, places: Mapping[str, int]) -> bool:
    """Whether every connection leads to a later node, as in most documents: then there can be no circle."""
    for connection in workflow.connections:
        source, target = places.get(connection.from_node), places.get(connection.to_node)
        if source is not None and target is not None and source >= target:
            return False
    return True


def _graph_of(workflow: Workflow, references: Mapping[str, Sequence[Reference]], places: Mapping[str, int]) -> _Graph:
    graph: _Graph = [{} for _ in workflow.nodes]
    for index, connection in enumerate(workflow.connections):
        source, target = places.get(connection.from_node), places.get(connection.to_node)
        if source is not None and target is not None:
            graph[source].setdefault(target, index)
    for node_id, found in references.items():
        target = places.get(node_id)
        for reference in found:
            source = places.get(reference.node_id)
            if source is not None and target is not None:
                graph[source].setdefault(target, reference.pointer)
    return graph


def _tangles(graph: _Graph) -> list[set[int]]:
    """The strongly connected components that hold a circle, in document order (Tarjan 1972, without recursion)."""
    tangles: list[set[int]] = []
    numbers: dict[int, int] = {}  # in the order of first visits
    lowest: dict[int, int] = {}  # the lowest number that the node leads back to
    open_nodes: dict[int, None] = {}  # those whose component is not complete, in the same order
    for root in range(len(graph)):
        trail = [(root, iter(graph[root]))] if root not in numbers else []
        while trail:
            node, followers = trail[-1]
            if node not in numbers:
                numbers[node] = lowest[node] = len(numbers)
                open_nodes[node] = None
            for follower in followers:
                if follower not in numbers:
                    trail.append((follower, iter(graph[follower])))
                    break
                if follower in open_nodes:
                    lowest[node] = min(lowest[node], numbers[follower])
            else:
                trail.pop()
                if trail:
                    parent = trail[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == numbers[node]:
                    members = _close(open_nodes, node)
                    if len(members) > 1 or node in graph[node]:
                        tangles.append(members)
    return sorted(tangles, key=min)


def _close(open_nodes: dict[int, None], node: int) -> set[int]:
    """Take the node and all that were opened after it: together they are one component."""
    members = {node}
    while (last := open_nodes.popitem()[0]) != node:
        members.add(last)
    return members


def _shortest_circle(graph: _Graph, members: set[int], start: int) -> list[int]:
    """The nodes of a shortest circle through `start`, from it to the node that leads back to it."""
    came_from = {start: start}
    waiting = deque([start])
    while True:
        node = waiting.popleft()
        if start in graph[node]:
            break
        for follower in graph[node]:
            if follower in members and follower not in came_from:
                came_from[follower] = node
                waiting.append(follower)
    circle = [node]
    while circle[-1] != start:
        circle.append(came_from[circle[-1]])
    return circle[::-1]
