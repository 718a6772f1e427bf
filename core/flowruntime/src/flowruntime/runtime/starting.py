"""What an execution starts with: inputs that fit the workflow, and the trigger that fires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowcore.documents import read_execution_inputs
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.schemas import with_defaults
from flowcore.values import Value

from flowruntime.plan import Plan, SchemaCache

__all__ = ["fired_trigger", "origin_of", "read_inputs"]


def read_inputs(plan: Plan, inputs: Mapping[str, Value] | None, schemas: SchemaCache) -> dict[str, Value]:
    """The execution inputs, plain and with defaults filled. Raises WorkflowInvalid with everything wrong with them."""
    schema = plan.workflow.inputs
    given, found = read_execution_inputs({} if inputs is None else dict(inputs))
    problems = list(found)
    if schema is not None and not problems:
        given = with_defaults(schema, given)
        problems.extend(schemas.get(schema).problems(given, "", "inputs"))
    if not problems and plan.asking:
        problems.extend(_unfilled(plan, given))
    if problems:
        message = f"The inputs do not fit workflow {plan.workflow.id!r}: {problems[0].message}"
        raise WorkflowInvalid(problems, message)
    return given


def fired_trigger(plan: Plan, trigger: str | None) -> int | None:
    """The number of the trigger node that fires when somebody starts the workflow by hand; None without triggers.

    `trigger` names it, the first one fires without. Raises WorkflowInvalid when there is no such trigger node.
    """
    if trigger is None:
        return plan.triggers[0] if plan.triggers else None
    number = plan.index.get(trigger)
    if number is None or number not in plan.triggers:
        names = ", ".join(repr(plan.nodes[index].id) for index in plan.triggers) or "none"
        raise WorkflowInvalid(
            [
                Problem(
                    code="trigger.unknown",
                    pointer="",
                    message=f"The workflow has no trigger node {trigger!r}.",
                    remedy=f"Its trigger nodes are: {names}.",
                )
            ]
        )
    return number


def origin_of(plan: Plan, fired: int | None, cause: dict[str, Any] | None, net: str) -> dict[str, Any]:
    """What event 1 says of how the execution came to be: its cause, else by hand, and a network policy that is strict.

    Whoever resumes it holds to that policy.
    """
    origin = cause
    if origin is None:
        origin = {"type": "Manual"} if fired is None else {"type": "Node", "node": plan.nodes[fired].id}
    return origin if net == "open" else {**origin, "net": net}


def _unfilled(plan: Plan, given: Mapping[str, Value]) -> Iterable[Problem]:
    """Required ports of starting nodes that the execution inputs were to fill and do not."""
    for index, ports in plan.asking:
        node = plan.nodes[index]
        for port in ports:
            if port not in given:
                yield Problem(
                    code="inputs.missing",
                    pointer="",
                    message=f"Node {node.id!r} needs the execution input {port!r} for its required port.",
                    remedy=f"Pass it: --input '{{\"{port}\": …}}', or give it in the node's 'inputs'.",
                )
