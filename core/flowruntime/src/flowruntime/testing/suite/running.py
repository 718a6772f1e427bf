"""The checks that run a node: its examples, their outputs, repeating, cancelling, keeping secrets."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from flowcore.errors import ExecutionError, FlowError
from flowcore.events import NodeStarted, WorkflowCompleted, to_wire
from flowcore.nodes import ports_of
from flowcore.schemas import ANY_SCHEMA, with_defaults
from flowcore.values import Value, read_json, write_json

from flowruntime.plan.schemas import SchemaCache
from flowruntime.testing.harness import NodeRun, OpenNode, RunningNode, open_type
from flowruntime.testing.suite.finding import Fault
from flowruntime.testing.suite.subject import Example, TypeSubject

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

__all__ = ["cancellation", "examples", "has_secrets", "is_pure_somewhere", "outputs", "repeats", "runs", "secrets"]

_KEYS: Final = frozenset({"config", "error", "inputs", "needs", "outputs", "signals", "title"})
_SECRET: Final = re.compile(r"\bsecrets\.\"?(\w+)")
#: How long a node gets to reach the point where it waits for something, in real seconds.
_SETTLE_SECONDS: Final = 0.05
_CANCEL_SECONDS: Final = 1.0
#: After this much time on the runtime's clock the engine gives up attempts that do not end.
_BEYOND_GRACE_SECONDS: Final = 11
#: How many delays and waits of a node are waited for.
_MOST_WAITS: Final = 20


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
            ran = await _run(subject, example)
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
    async for example, ran in _successes(subject):
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
        async with _opened(subject, example) as node:
            first = await _outcome(node, subject, example)
            second = await _outcome(node, subject, example)
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
        async with _opened(subject, example, http=_never_answers) as node:
            running = await _begin(node, subject, example)
            if running is None:
                continue
            try:
                running.cancel()
                await running.until(WorkflowCompleted, limit_seconds=_CANCEL_SECONDS)
            except (ExecutionError, LookupError):
                continue  # it was quicker
            except TimeoutError:
                node.clock.advance(_BEYOND_GRACE_SECONDS)
                yield Fault(
                    place=example.place,
                    message="It did not end within a second of being cancelled.",
                    remedy="Let CancelledError through in coroutines, and look at ctx.cancelled in loops on threads.",
                )


async def secrets(subject: TypeSubject) -> AsyncIterator[Fault]:
    """No secret stands in an event, a result or a log record, whatever the network answers."""
    for example in subject.examples:
        if not example.is_run:
            continue
        config = {**_secret_fields(subject, example), **example.config}
        given = _canaries(config)
        for answer in (_answers, _refuses, _is_unreachable):
            with _logged() as records:
                texts = [*await _told(subject, example, config, answer), *records]
            for name, canary in given.items():
                if any(canary in text for text in texts):
                    yield Fault(
                        place=example.place,
                        message=f"The secret {name!r} is told in an event, the result or a log record.",
                        remedy="Keep secrets out of outputs, messages, errors and logs; reveal() them where they go.",
                    )
                    return


def runs(subject: TypeSubject) -> bool:
    """Whether it has examples that can be run here."""
    return any(example.is_run for example in subject.examples)


def is_pure_somewhere(subject: TypeSubject) -> bool:
    """Whether it has an example with which it only computes."""
    return any(example.is_run and subject.is_pure(example) for example in subject.examples)


def has_secrets(subject: TypeSubject) -> bool:
    """Whether it has anything to do with secrets, in its examples or by the types of its config fields."""
    return any(
        example.is_run and _canaries({**_secret_fields(subject, example), **example.config})
        for example in subject.examples
    )


# --- running an example ---------------------------------------------------------------------------------------------


def _opened(
    subject: TypeSubject,
    example: Example,
    *,
    config: Mapping[str, Any] | None = None,
    http: Callable[[httpx.Request], Any] | None = None,
) -> AbstractAsyncContextManager[OpenNode]:
    given = example.config if config is None else config
    return open_type(
        subject.registry,
        subject.node_type,
        subject.definition,
        given,
        fixed_inputs={} if subject.node_type.trigger else example.inputs,
        secrets=_canaries(given),
        http=http or _answers,
    )


def _payload(subject: TypeSubject, example: Example) -> dict[str, Value]:
    """What a trigger fires with: it completes with the execution's inputs as its ports."""
    return dict(example.fields.get("outputs") or {}) if subject.node_type.trigger else {}


async def _play(node: OpenNode, subject: TypeSubject, example: Example) -> NodeRun:
    return await node.run(_payload(subject, example), signals=example.fields.get("signals"))


async def _outcome(node: OpenNode, subject: TypeSubject, example: Example) -> Any:
    """The outputs, or what it failed with."""
    try:
        return (await _play(node, subject, example)).outputs
    except Exception as error:  # noqa: BLE001 - a node may raise anything
        return {"error": error.code if isinstance(error, FlowError) else type(error).__name__}


async def _run(subject: TypeSubject, example: Example) -> NodeRun:
    async with _opened(subject, example) as node:
        return await _play(node, subject, example)


async def _successes(subject: TypeSubject) -> AsyncIterator[tuple[Example, NodeRun]]:
    """The examples that succeed; the check of examples tells the others."""
    for example in subject.examples:
        if example.is_run:
            try:
                ran = await _run(subject, example)
            except Exception:  # noqa: BLE001, S112
                continue
            yield example, ran


async def _begin(node: OpenNode, subject: TypeSubject, example: Example) -> RunningNode | None:
    """Start the example and let it get where it waits; None when it cannot start."""
    try:
        running = await node.start(_payload(subject, example))
        await running.until(NodeStarted)
        with anyio.move_on_after(_SETTLE_SECONDS):
            await running.until(WorkflowCompleted)
    except (FlowError, LookupError):
        return None
    return running


async def _told(subject: TypeSubject, example: Example, config: Mapping[str, Any], answer: Any) -> list[str]:
    """The texts of all events, and of the result."""
    async with _opened(subject, example, config=config, http=answer) as node:
        try:
            running = await node.start(_payload(subject, example))
        except FlowError as error:
            return [str(error)]
        for _ in range(_MOST_WAITS):
            try:
                await running.until(WorkflowCompleted, limit_seconds=_SETTLE_SECONDS)
                break
            except TimeoutError:
                node.clock.advance(3600)  # through delays and waits
        return [write_json(to_wire(event, running.execution_id, stored=True)) for event in running.events]


def _malformed(subject: TypeSubject, example: Example) -> Iterator[Fault]:
    for key in sorted(example.fields.keys() - _KEYS):
        yield Fault(
            place=example.place,
            message=f"Examples have no key {key!r}.",
            remedy=f"They have {', '.join(sorted(_KEYS))}.",
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


# --- secrets, and the network that there is not ----------------------------------------------------------------------


def _canaries(config: Mapping[str, Any]) -> dict[str, str]:
    """A text that stands nowhere else, for each secret that a config names."""
    names = _SECRET.findall(json.dumps(config))
    return {name: "canary" + hashlib.sha256(name.encode()).hexdigest()[:20] for name in names}


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


def _answers(request: httpx.Request) -> httpx.Response:
    import httpx

    return httpx.Response(200, json={}, request=request)


def _refuses(request: httpx.Request) -> httpx.Response:
    import httpx

    return httpx.Response(500, json={"error": "out of order"}, request=request)


def _is_unreachable(request: httpx.Request) -> httpx.Response:
    import httpx

    message = "nobody is there"
    raise httpx.ConnectError(message, request=request)


async def _never_answers(request: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    return _answers(request)


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, in which true is not 1."""
    return one == other and write_json(one, sort_keys=True) == write_json(other, sort_keys=True)


def _shown(value: Any) -> str:
    text = write_json(value)
    return text if len(text) <= 300 else f"{text[:300]}…"  # noqa: PLR2004 - what fits on a screen
