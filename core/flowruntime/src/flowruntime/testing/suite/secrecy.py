"""The check that a node keeps its secrets: made-up ones are looked for in all that it leaves behind."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import anyio
from flowcore.errors import FlowError
from flowcore.events import WorkflowCompleted, to_wire
from flowcore.values import write_json

from flowruntime.testing.suite.finding import Fault
from flowruntime.testing.suite.playing import (
    SETTLE_SECONDS,
    is_unreachable,
    made_up,
    opened,
    payload_of,
    refuses,
    secret_names,
)
from flowruntime.testing.suite.subject import Example, TypeSubject

__all__ = ["has_secrets", "secrets"]

#: How many delays and waits of a node are waited for.
_MOST_WAITS: Final = 20
#: The engine masks secrets wherever it finds them, which would hide the fault; it lets texts as short as this pass.
_LENGTH: Final = 5


async def secrets(subject: TypeSubject) -> AsyncIterator[Fault]:
    """No secret stands in an event, a result or a log record, whatever the network answers."""
    for example in subject.examples:
        if not example.is_run:
            continue
        config = {**_secret_fields(subject, example), **example.config}
        given = made_up(secret_names(config), length=_LENGTH)
        for answer in (None, refuses, is_unreachable):
            with _logged() as records:
                texts = [*await _told(subject, example, config, given, answer), *records]
            for name, canary in given.items():
                if any(canary in text for text in texts):
                    yield Fault(
                        place=example.place,
                        message=f"The secret {name!r} is told in an event, the result or a log record.",
                        remedy="Keep secrets out of outputs, messages, errors and logs; reveal() them where they go.",
                    )
                    return


def has_secrets(subject: TypeSubject) -> bool:
    """Whether it has anything to do with secrets, in its examples or by the types of its config fields."""
    return any(
        example.is_run and secret_names({**_secret_fields(subject, example), **example.config})
        for example in subject.examples
    )


async def _told(
    subject: TypeSubject, example: Example, config: Mapping[str, Any], given: Mapping[str, str], answer: Any
) -> list[str]:
    """The texts of all events, and of the result."""
    async with opened(subject, example, config=config, secrets=given, http=answer) as node:
        try:
            running = await node.start(payload_of(subject, example))
        except FlowError as error:
            return [str(error)]
        for _ in range(_MOST_WAITS):
            try:
                await running.until(WorkflowCompleted, limit_seconds=SETTLE_SECONDS)
                break
            except TimeoutError:
                with anyio.move_on_after(1):  # the process may have stood still: the node goes where it waits first
                    await anyio.wait_all_tasks_blocked()
                node.clock.advance(3600)  # through delays and waits
        return [write_json(to_wire(event, running.execution_id, stored=True)) for event in running.events]


def _secret_fields(subject: TypeSubject, example: Example) -> dict[str, str]:
    """Secrets for the config fields of the type `Secret` that the example leaves out."""
    schema = subject.node_type.config_schema
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    marked = [name for name, field in properties.items() if isinstance(field, Mapping) and field.get("writeOnly")]
    return {name: f"${{{{ secrets.CANARY_{name} }}}}" for name in marked if name not in example.config}


@contextmanager
def _logged() -> Iterator[list[str]]:
    """The log records of all loggers, as texts."""
    texts: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))

    handler, root = Keep(level=logging.DEBUG), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
