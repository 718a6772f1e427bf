"""The checks that run a node: its examples, their outputs, repeating, cancelling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final

from flowcore.errors import ExecutionError, FlowError
from flowcore.events import WorkflowCompleted
from flowcore.nodes import ports_of
from flowcore.schemas import ANY_SCHEMA, with_defaults
from flowcore.values import read_json, write_json

from flowruntime.plan.schemas import SchemaCache
from flowruntime.testing.harness import RunningNode
from flowruntime.testing.suite.finding import Fault
from flowruntime.testing.suite.playing import begin, never_answers, opened, outcome, run_example, successes
from flowruntime.testing.suite.subject import Example, TypeSubject

__all__ = ["cancellation", "examples", "is_pure_somewhere", "outputs", "repeats", "runs"]

_KEYS: Final = frozenset({"answer", "config", "error", "inputs", "needs", "outputs", "signals", "title"})
_ANSWER_KEYS: Final = frozenset({"headers", "json", "status", "text"})
_CANCEL_SECONDS: Final = 1.0
#: It is waited for in so many parts: a process that stands still as a whole loses one of them, and not the second.
_CANCEL_PARTS: Final = 20
#: After this much time on the runtime's clock the engine gives up attempts that do not end.
_BEYOND_GRACE_SECONDS: Final = 11


async def examples(subject: TypeSubject) -> AsyncIterator[Fault]:
    """There is an example, and each does what it says."""
    if not subject.examples:
        yield Fault(
            place="@node",
            message="It has no example.",
            remedy='Write examples=[{"title": …, "config": {}, "inputs": {}, "outputs": {}}] in @node.',
        )
    for example in subject.examples:
        for fault in _malformed(subject, example):
            yield fault
        if not example.is_run:
            continue
        try:
            ran = await run_example(subject, example)
        except Exception as error:  # noqa: BLE001 - a node may raise anything
            failure = _failure(example, error)
            if failure is not None:
                yield failure
            continue
        expected = example.fields.get("outputs")
        if "error" in example.fields:
            yield Fault(
                place=example.place,
                message=f"It says that the node fails with {example.fields['error']!r}, and it succeeds.",
                remedy="Correct the example, or the node.",
            )
        elif expected is not None and not _same(ran.outputs, expected):
            yield Fault(
                place=example.place,
                message=f"It gives {_shown(ran.outputs)}, and says that it gives {_shown(expected)}.",
                remedy="Correct the example, or the node.",
            )


async def outputs(subject: TypeSubject) -> AsyncIterator[Fault]:
    """What comes out fits the schemas of its ports, and survives being written."""
    compiled = SchemaCache()
    async for example, ran in successes(subject):
        config = with_defaults(subject.node_type.config_schema, example.config)
        ports = {port.name: port.schema for port in ports_of(subject.node_type.outputs, config)}
        for name, value in ran.outputs.items():
            try:
                schema = compiled.get(ports.get(name, ANY_SCHEMA))
            except ValueError:
                continue  # the check of schemas tells it
            for problem in schema.problems(value, "", "output"):
                yield Fault(
                    place=f"output port {name!r} in {example.place}",
                    message=f"The value does not fit the schema of its port: {problem.message}",
                    remedy="Correct the schema, or what the node returns.",
                )
        written = write_json(ran.outputs)
        read = read_json(written)
        if read.problems or write_json(read.value) != written:
            yield Fault(
                place=f"the outputs in {example.place}",
                message="They are not what they were after being written and read.",
                remedy="Return JSON and Blobs only.",
            )


async def repeats(subject: TypeSubject) -> AsyncIterator[Fault]:
    """A pure node gives the same outputs for the same inputs, also from the same instance."""
    for example in subject.examples:
        if not example.is_run or not subject.is_pure(example):
            continue
        async with opened(subject, example) as node:
            first = await outcome(node, subject, example)
            second = await outcome(node, subject, example)
        if not _same(first, second):
            yield Fault(
                place=example.place,
                message=f"It is pure, and gives {_shown(first)} first and {_shown(second)} then.",
                remedy='Take time, chance and memory out of it, or declare effects="read".',
            )


async def cancellation(subject: TypeSubject) -> AsyncIterator[Fault]:
    """A running node ends within a second of being cancelled."""
    for example in subject.examples:
        if not example.is_run:
            continue
        async with opened(subject, example, http=never_answers) as node:
            running = await begin(node, subject, example)
            if running is None:
                continue
            try:
                running.cancel()
                is_over = await _ends_soon(running)
            except (ExecutionError, LookupError):
                continue  # it was quicker
            if not is_over:
                node.clock.advance(_BEYOND_GRACE_SECONDS)
                yield Fault(
                    place=example.place,
                    message="It did not end within a second of being cancelled.",
                    remedy="Let CancelledError through in coroutines, and look at ctx.cancelled in loops on threads.",
                )


async def _ends_soon(running: RunningNode) -> bool:
    for _ in range(_CANCEL_PARTS):
        with suppress(TimeoutError):
            await running.until(WorkflowCompleted, limit_seconds=_CANCEL_SECONDS / _CANCEL_PARTS)
            return True
    return False


def runs(subject: TypeSubject) -> bool:
    """Whether it has examples that can be run here."""
    return any(example.is_run for example in subject.examples)


def is_pure_somewhere(subject: TypeSubject) -> bool:
    """Whether it has an example with which it only computes."""
    return any(example.is_run and subject.is_pure(example) for example in subject.examples)


def _malformed(subject: TypeSubject, example: Example) -> Iterator[Fault]:
    for key in sorted(example.fields.keys() - _KEYS):
        yield Fault(
            place=example.place,
            message=f"Examples have no key {key!r}.",
            remedy=f"They have {', '.join(sorted(_KEYS))}.",
        )
    answer = example.fields.get("answer", {})
    if not isinstance(answer, dict) or not answer.keys() <= _ANSWER_KEYS:
        yield Fault(
            place=example.place,
            message="Its answer is none that a server could give.",
            remedy='Write "answer": {"status": 200, "json": …}, with "text" instead of "json", and "headers".',
        )
    if not example.fields.get("title"):
        yield Fault(place=example.place, message="It has no title.", remedy='Write "title": "What it shows".')
    says = any(key in example.fields for key in ("outputs", "error"))
    if example.is_run and not says and _is_pure(subject, example):
        yield Fault(
            place=example.place,
            message="It does not say what comes out, and the node is pure.",
            remedy='Write "outputs": {"port": …}, or "error": "code" when it fails on purpose.',
        )


def _is_pure(subject: TypeSubject, example: Example) -> bool:
    return subject.is_pure(example) and not subject.node_type.trigger


def _failure(example: Example, error: Exception) -> Fault | None:
    """What is wrong with an example that ended so; None when it says that it would."""
    code = error.code if isinstance(error, FlowError) else "node.exception"
    if example.fields.get("error") == code:
        return None
    expected = f", and says that it fails with {example.fields['error']!r}" if "error" in example.fields else ""
    return Fault(
        place=example.place,
        message=f"It fails with {type(error).__name__} ({code}): {str(error) or 'no message'}{expected}",
        remedy='Correct the example, or the node; with "needs": "what" it is shown and not run.',
    )


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, in which true is not 1."""
    return one == other and write_json(one, sort_keys=True) == write_json(other, sort_keys=True)


def _shown(value: Any) -> str:
    text = write_json(value)
    return text if len(text) <= 300 else f"{text[:300]}…"  # noqa: PLR2004 - what fits on a screen
