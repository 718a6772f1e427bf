"""What an execution and the documents within it came to: outputs, and how the nodes ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from flowcore.errors import FatalNodeError, NodeError
from flowcore.events import ErrorObject, ExecutionId
from flowcore.executions import ExecutionResult, FinalStatus
from flowcore.values import NotAValue, Value, check_value

from flowruntime.authoring.functions import MOMENT
from flowruntime.engine.attempt import ExecutionRun, error_object
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.inputs import referenced_nodes
from flowruntime.engine.machine import CANCELLED, COMPLETED, FAILED, SKIPPED, Machine

__all__ = ["Ends", "outcome"]


@dataclass(frozen=True, slots=True)
class Ends:
    """Node ids in the order of their ends, and what the completed ones gave."""

    completed: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[str, ...]
    node_outputs: dict[str, dict[str, Value]]

    @classmethod
    def of(cls, machine: Machine) -> Self:
        """The ends so far, in one pass."""
        nodes, by_status = machine.plan.nodes, machine.status
        ended: dict[int, list[str]] = {COMPLETED: [], SKIPPED: [], FAILED: [], CANCELLED: []}
        node_outputs: dict[str, dict[str, Value]] = {}
        for index in machine.ended:
            node_id = nodes[index].id
            ended[by_status[index]].append(node_id)
            if by_status[index] == COMPLETED:
                node_outputs[node_id] = machine.outputs[index] or {}
        return cls(tuple(ended[COMPLETED]), tuple(ended[SKIPPED]), tuple(ended[FAILED]), node_outputs)

    def result(
        self,
        machine: Machine,
        execution_id: ExecutionId,
        *,
        status: FinalStatus,
        outputs: Value,
        error: ErrorObject | None,
        started_us: int,
        duration_ms: float,
    ) -> ExecutionResult:
        """What callers get."""
        return ExecutionResult(
            execution_id=execution_id,
            workflow_id=machine.plan.workflow.id,
            status=status,
            outputs=outputs,
            node_outputs=self.node_outputs,
            completed_nodes=self.completed,
            skipped_nodes=self.skipped,
            failed_nodes=self.failed,
            total_nodes=len(machine.plan.nodes),
            error=error,
            started_us=started_us,
            duration_ms=duration_ms,
        )


def outcome(frame: Frame) -> tuple[FinalStatus, Value, ErrorObject | None]:
    """Status, outputs and error of a document that has come to its end."""
    machine = frame.machine
    if machine.stopped is not None:
        return machine.stopped, None, machine.error if machine.stopped == "failed" else None
    try:
        return "succeeded", _outputs(machine, frame.run, frame.run_attempt), None
    except NodeError as raised:
        return "failed", None, error_object(raised, node_id=None, path=frame.path, attempt=0)


def _outputs(machine: Machine, run: ExecutionRun, run_attempt: int) -> Value:
    """The outputs that the document declares, else those of the nodes that nothing follows.

    Raises NodeError when an expression of the document's outputs cannot be evaluated.
    """
    plan = machine.plan
    if plan.outputs is None:
        made = {plan.nodes[index].id: machine.outputs[index] for index in plan.ends if machine.completed_flags[index]}
        if run.path:
            _check_depth(made)  # what a loop hands from item to item would grow without end
        return made
    roots: dict[Any, Any] = {
        "input": run.inputs,
        "vars": run.workflow.vars,
        "run": {**run.info, "attempt": run_attempt},
        "nodes": referenced_nodes(plan.output_references, machine.outputs, machine.completed_flags),
        MOMENT: run.own_moment,
    }
    return plan.outputs.resolve(roots)


def _check_depth(outputs: Value) -> None:
    try:
        check_value(outputs)
    except NotAValue as error:
        raise FatalNodeError(
            f"The outputs of the workflow cannot be handed on: {error}.",
            code="outputs.not_a_value",
            remedy="Declare its 'outputs', with no more in them than is needed.",
        ) from None
