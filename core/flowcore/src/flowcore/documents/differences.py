"""Says in what two workflow documents differ: node by node, connection by connection, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from flowcore.documents.writing import write_workflow
from flowcore.values import pointer_of, write_json
from flowcore.workflows import Workflow

__all__ = ["Difference", "differences"]

Kind: TypeAlias = Literal["added", "removed", "changed", "reordered"]
Part: TypeAlias = Literal["workflow", "node", "connection", "trigger"]

_PARTS: Final[dict[str, Part]] = {"nodes": "node", "connections": "connection", "triggers": "trigger"}
_ENDS: Final = frozenset({"from_node", "from_port", "to_node", "to_port"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference.

    `name` is the id of a node or trigger, `a.x → b.y` for a connection and empty for the workflow itself; a document
    inside a node has the ids of the nodes around it before that: `loop/fetch`. `pointer` is the place in the later
    document, of what was removed in the former one. What is not in one of them is `before` or `after` None there.
    A part that was `reordered` stands at another place among the same ones; which, is not told.
    """

    kind: Kind
    part: Part
    name: str
    pointer: str
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON; values stand where the kind has them."""
        told: dict[str, Any] = {"kind": self.kind, "part": self.part, "name": self.name, "pointer": self.pointer}
        if self.kind in ("removed", "changed"):
            told["before"] = self.before
        if self.kind in ("added", "changed"):
            told["after"] = self.after
        return told


def differences(before: Workflow, after: Workflow) -> tuple[Difference, ...]:
    """All differences, the workflow's own first, then nodes, connections and triggers in the order of `after`.

    There is none exactly when the documents are the same as JSON, the order of their keys included.

    >>> from flowcore.documents import parse_workflow
    >>> nodes = [{"id": "a", "node_type": "time.delay", "config": {"delay_ms": 5}}]
    >>> one = parse_workflow({"name": "w", "nodes": nodes})
    >>> other = parse_workflow({"name": "w", "nodes": [{**nodes[0], "config": {"delay_ms": 6}}]})
    >>> [(found.pointer, found.before, found.after) for found in differences(one, other)]
    [('/nodes/0/config/delay_ms', 5, 6)]
    """
    former, later = write_workflow(before), write_workflow(after)
    found = list(_document(former, later, "", ""))
    if not found and write_json(former) != write_json(later):
        found.append(Difference(kind="reordered", part="workflow", name="", pointer=""))
    return tuple(found)


def _document(before: dict[str, Any], after: dict[str, Any], pointer: str, around: str) -> Iterator[Difference]:
    """Differences of two documents at that place, inside the node that `around` names."""
    own = [{name: value for name, value in whole.items() if name not in _PARTS} for whole in (before, after)]
    yield from _object(own[0], own[1], _Place("workflow", around, pointer))
    for field, part in _PARTS.items():
        yield from _parts(before.get(field, ()), after.get(field, ()), part, pointer + pointer_of(field), around)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands."""

    part: Part
    name: str
    pointer: str

    def at(self, step: str | int) -> _Place:
        return _Place(self.part, self.name, self.pointer + pointer_of(step))

    def told(self, kind: Kind, before: Any = None, after: Any = None) -> Difference:
        return Difference(kind=kind, part=self.part, name=self.name, pointer=self.pointer, before=before, after=after)


def _parts(before: Sequence[Any], after: Sequence[Any], part: Part, pointer: str, around: str) -> Iterator[Difference]:
    """Differences of two lists of nodes, connections or triggers, which are known by what names them."""
    name_of = _NAMES[part]
    prefix = f"{around}/" if around else ""
    former, later = _by_name(before, name_of), _by_name(after, name_of)
    for key, (index, value) in former.items():
        if key not in later:
            yield _Place(part, prefix + key[0], pointer + pointer_of(index)).told("removed", before=value)
    for key, (index, value) in later.items():
        place = _Place(part, prefix + key[0], pointer + pointer_of(index))
        if key in former:
            yield from _value(former[key][1], value, place)
        else:
            yield place.told("added", after=value)
    if [key for key in former if key in later] != [key for key in later if key in former]:
        yield _Place(part, around, pointer).told("reordered")


def _by_name(items: Sequence[Any], name_of: Callable[[Any], str]) -> dict[tuple[str, int], tuple[int, Any]]:
    """The items with their indexes by name; those with the same name, in drafts, by how many came before."""
    counts: dict[str, int] = {}
    named = {}
    for index, item in enumerate(items):
        name = name_of(item)
        counts[name] = count = counts.get(name, -1) + 1
        named[name, count] = index, item
    return named


_NAMES: Final[Mapping[Part, Callable[[Any], str]]] = {
    "node": lambda node: str(node["id"]),
    "trigger": lambda trigger: str(trigger["id"]),
    "connection": lambda wire: f"{wire['from_node']}.{wire['from_port']} → {wire['to_node']}.{wire['to_port']}",
}


def _value(before: Any, after: Any, place: _Place) -> Iterator[Difference]:
    match before, after:
        case dict(), dict():
            if place.part == "node" and _is_document(before) and _is_document(after):
                yield from _document(before, after, place.pointer, place.name)
            else:
                yield from _object(before, after, place)
        case list(), list() if len(before) == len(after):
            for index, (former, later) in enumerate(zip(before, after, strict=True)):
                yield from _value(former, later, place.at(index))
        case _:
            if write_json(before) != write_json(after):
                yield place.told("changed", before, after)


def _object(before: dict[str, Any], after: dict[str, Any], place: _Place) -> Iterator[Difference]:
    for name, value in before.items():
        if name not in after:
            yield place.at(name).told("removed", before=value)
    for name, value in after.items():
        if name in before:
            yield from _value(before[name], value, place.at(name))
        else:
            yield place.at(name).told("added", after=value)


def _is_document(value: dict[str, Any]) -> bool:
    """Whether a value in a config looks like a document, so that its parts have names."""
    nodes, wires, triggers = (value.get(field, []) for field in _PARTS)
    return (
        "nodes" in value
        and all(isinstance(items, list) for items in (nodes, wires, triggers))
        and all(isinstance(item, dict) and "id" in item for item in (*nodes, *triggers))
        and all(isinstance(wire, dict) and wire.keys() >= _ENDS for wire in wires)
    )
