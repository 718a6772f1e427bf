"""Reads the triggers of a document: what starts the workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.executions import FINAL_STATUSES
from flowcore.values import FrozenDict, ObjectReader, show
from flowcore.workflows import Trigger

__all__ = ["read_trigger"]


def read_trigger(value: Any, index: int, problems: list[Problem]) -> Trigger:
    """The trigger at that place of `triggers`; an id that could not be read is `""`."""
    reader = ObjectReader(value, f"/triggers/{index}", problems, what="A trigger")
    return Trigger(
        id=reader.text("id", empty=False) or "",
        trigger_type=_read_type(reader),
        enabled=reader.flag("enabled", default=True),
        extensions=reader.finish(),
    )


def _read_type(reader: ObjectReader) -> FrozenDict:
    value: FrozenDict | None = reader.object("trigger_type")
    if value is None:
        return FrozenDict()
    inner = ObjectReader(value, f"{reader.pointer}/trigger_type", reader.problems, what="This trigger type")
    kind = inner.choice("type", _KINDS)
    if kind is not None:
        # Of an unknown type no field is known either.
        _KINDS[kind](inner)
        inner.finish()
    return value


def _read_node(reader: ObjectReader) -> None:
    reader.text("node", empty=False)


def _read_manual(_reader: ObjectReader) -> None:
    """A start by hand has no fields."""


def _read_cron(reader: ObjectReader) -> None:
    reader.text("expression", empty=False)
    reader.text("timezone", None, empty=False)
    reader.text("misfire", None, empty=False)


def _read_webhook(reader: ObjectReader) -> None:
    reader.text("path", empty=False)
    reader.text("method", None, empty=False)
    reader.texts("methods")
    reader.choice("auth", ("standard", "hmac", "bearer", "none"), None)
    reader.flag("public", None)


def _read_event(reader: ObjectReader) -> None:
    reader.choice("event_type", ("WorkflowCompleted",))
    reader.text("workflow", empty=False)
    final = sorted(FINAL_STATUSES)
    for index, status in enumerate(reader.items("status", None)):
        if status not in final:
            reader.problems.append(
                Problem(
                    code="document.type",
                    pointer=f"{reader.pointer}/status/{index}",
                    message=f"{show(status)} is not the status of a completed workflow.",
                    remedy=f"Choose from {', '.join(map(repr, final))}.",
                )
            )


_KINDS: Final[dict[str, Callable[[ObjectReader], None]]] = {
    "Node": _read_node,
    "Manual": _read_manual,
    "Cron": _read_cron,
    "Webhook": _read_webhook,
    "Event": _read_event,
}
