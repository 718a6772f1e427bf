"""Checks that what a connection brings can be what its port takes, and finds the ports that must look for themselves.

A connection fits, may fit or cannot fit (`flowcore.compatibility`). One that cannot is an error, one that may is a
warning and the value is checked when it comes. A source that declares nothing makes no warning: nobody claimed
anything, and the value is checked, too.
"""

from __future__ import annotations

from typing import Any, Final

from flowcore.compatibility import FITS, Fit, compare
from flowcore.errors import Problem
from flowcore.schemas import ANY_SCHEMA, Schema
from flowcore.validation.ports import NodePorts
from flowcore.validation.wires import TypedWorkflow
from flowcore.values import freeze
from flowcore.workflows import AFTER, DONE, ERROR, Connection

__all__ = ["check_fitting", "is_any"]

#: What the ports give that every node has.
_IMPLICIT: Final[dict[str, Schema]] = {DONE: freeze({"const": True}), ERROR: freeze({"type": "object"})}


def is_any(schema: Schema) -> bool:
    """Whether the schema takes every value and says so in the plainest way."""
    return schema is True or schema == {}


def check_fitting(typed: TypedWorkflow, problems: list[Problem]) -> frozenset[tuple[int, str]]:
    """Report connections whose values cannot fit, and those whose values may not.

    The ports whose values must be looked at when they come: (place of the node, port).
    """
    unsure: set[tuple[int, str]] = set()
    places, ports = typed.wiring.places, typed.ports
    # Nodes of a type share their ports, and most connections are like others.
    known: dict[tuple[int, str, int, str], Fit | None] = {}
    for index, connection in enumerate(typed.workflow.connections):
        from_place, to_place = places.get(connection.from_node), places.get(connection.to_node)
        if from_place is None or to_place is None:
            continue
        source, target = ports[from_place], ports[to_place]
        if source is None or target is None:
            continue
        key = (id(source), connection.from_port, id(target), connection.to_port)
        if key in known:
            fit = known[key]
        else:
            fit = known[key] = _fit(source, connection.from_port, target, connection.to_port)
        if fit is FITS:
            continue
        unsure.add((to_place, connection.to_port))
        if fit is not None:
            problems.append(_problem(index, connection, fit))
    return frozenset(unsure)


def _fit(source: NodePorts, from_port: str, target: NodePorts, to_port: str) -> Fit | None:
    """Whether what comes out of a port fits; None when the source declares nothing, and it can only be looked at."""
    port = target.input(to_port)
    if to_port == AFTER or port is None or is_any(port.schema):
        return FITS
    schema = _IMPLICIT.get(from_port)
    if schema is None:
        given = source.output(from_port)
        schema = ANY_SCHEMA if given is None else given.schema
    if is_any(schema):
        return None
    if port.multiple:
        # When a value comes at all, it is in the list.
        listed: Any = {"type": "array", "items": schema, "minItems": 1}
        schema = listed
    fit = compare(schema, port.schema)
    return FITS if fit.answer == "fits" else fit


def _problem(index: int, connection: Connection, fit: Fit) -> Problem:
    wire = f"{connection.from_node}.{connection.from_port} → {connection.to_node}.{connection.to_port}"
    cannot = fit.answer == "cannot_fit"
    return Problem(
        severity="error" if cannot else "warning",
        code="connection.cannot_fit" if cannot else "connection.may_not_fit",
        pointer=f"/connections/{index}",
        message=f"{wire}: {fit.message}",
        remedy=fit.remedy or ("" if cannot else "The value is checked when it comes."),
    )
