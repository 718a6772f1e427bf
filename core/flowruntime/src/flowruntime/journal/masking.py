"""Masks revealed secrets in events whose texts are written by nodes: what they say, and their errors.

Outputs, inputs and state are data, which nobody changes on its way: a node that puts a secret there means it.
"""

from __future__ import annotations

from typing import Any, Final

from flowcore.events import Event, NodeEvent, NodeFailed, NodeRetrying, NodeWaiting, WorkflowCompleted, WorkflowRetrying

from flowruntime.secrets import Net

__all__ = ["masked_event"]

#: What else stands in an error are names that Flownodes gives itself.
_TEXTS: Final = ("code", "message", "remedy", "details", "traceback")


def masked_event(event: Event, net: Net) -> Event:
    """The event without the secrets in the net.

    An error is changed in place: the engine hands the same object to whoever follows the node's failure.
    """
    match event:
        case NodeEvent():
            return event._replace(content=net.mask_value(event.content))
        case NodeWaiting():
            return event._replace(reason=net.mask_value(event.reason))
        case NodeFailed() | NodeRetrying() | WorkflowRetrying():
            _mask_error(event.error, net)
        case WorkflowCompleted() if event.error is not None:
            _mask_error(event.error, net)
        case _:
            pass
    return event


def _mask_error(error: dict[str, Any], net: Net) -> None:
    for field in _TEXTS:
        if field in error:
            error[field] = net.mask_value(error[field])
