"""Replays a log on a machine, event by event, so that it stands where the machine stood that wrote it. Pure."""

from __future__ import annotations

from typing import Any

from flowcore.events import (
    Event,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowRetrying,
)

from flowruntime.authoring import Woken
from flowruntime.engine.machine import SKIPPING, Machine

__all__ = ["replay"]


def replay(machine: Machine, event: Event) -> None:
    """Do what the engine did when it wrote this event. Events of other documents must not be given."""
    match event:
        case NodeStarted():
            node = machine.plan.index[event.node_id]
            machine.first_started_us.setdefault(node, event.at_us)
            machine.started(node, event.attempt)
        case NodeCompleted():
            node = machine.plan.index[event.node_id]
            machine.completed(node, event.outputs)
            _keep_state(machine, node, event)
        case NodeFailed():
            node = machine.plan.index[event.node_id]
            machine.failed(node, event.error, event.then)
            _keep_state(machine, node, event)
        case NodeSkipped():
            machine.skipped(machine.plan.index[event.node_id])
        case NodeRetrying():
            node = machine.plan.index[event.node_id]
            machine.retrying(node, event.retry_at_us)
            _keep_state(machine, node, event)
        case NodeWaiting():
            node = machine.plan.index[event.node_id]
            if machine.status[node] == SKIPPING:
                machine.park(node)
            else:
                machine.waiting(node, event.signal, event.until_us)
                _keep_state(machine, node, event)
        case NodeWoken():
            node = machine.plan.index[event.node_id]
            if node in machine.parked:
                answered: Any = event.value
                machine.answered(node, answered["answer"])
            else:
                machine.wake(node, Woken(reason=event.reason, value=event.value))
                machine.started(node, event.attempt)
        case NodeInterrupted():
            machine.interrupted(machine.plan.index[event.node_id])
        case NodeCancelled():
            node = machine.plan.index[event.node_id]
            machine.cancelled(node)
            machine.cancel()  # a failure that stopped the run stands before it in the log
            _keep_state(machine, node, event)
        case WorkflowRetrying():
            machine.restart()
        case _:
            pass  # what a node says, and the workflow's other events, change no node


def _keep_state(
    machine: Machine, node: int, event: NodeCompleted | NodeFailed | NodeRetrying | NodeWaiting | NodeCancelled
) -> None:
    if event.state is not None:
        machine.states[node] = event.state
