"""Runs examples of node types on a stage where servers answer as they are told, and secrets are made up."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
from flowcore.errors import FlowError
from flowcore.events import NodeStarted, WorkflowCompleted
from flowcore.values import Value

from flowruntime.testing.harness import NodeRun, OpenNode, RunningNode, open_type
from flowruntime.testing.suite.subject import Example, TypeSubject

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

__all__ = [
    "SETTLE_SECONDS",
    "begin",
    "is_unreachable",
    "made_up",
    "never_answers",
    "opened",
    "outcome",
    "payload_of",
    "refuses",
    "run_example",
    "secret_names",
    "successes",
]

_SECRET: Final = re.compile(r"\bsecrets\.\"?(\w+)")
#: How long a node gets to reach the point where it waits for something, in real seconds.
SETTLE_SECONDS: Final = 0.05


def opened(
    subject: TypeSubject,
    example: Example,
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    http: Callable[[httpx.Request], Any] | None = None,
) -> AbstractAsyncContextManager[OpenNode]:
    """The type on a stage with the config and inputs of the example, and secrets of the names that it uses."""
    given = example.config if config is None else config
    return open_type(
        subject.registry,
        subject.node_type,
        subject.definition,
        given,
        fixed_inputs={} if subject.node_type.trigger else example.inputs,
        secrets=made_up(secret_names(given)) if secrets is None else secrets,
        http=http or _server(example),
    )


def payload_of(subject: TypeSubject, example: Example) -> dict[str, Value]:
    """What a trigger fires with: it completes with the execution's inputs as its ports."""
    return dict(example.fields.get("outputs") or {}) if subject.node_type.trigger else {}


async def _play(node: OpenNode, subject: TypeSubject, example: Example) -> NodeRun:
    return await node.run(payload_of(subject, example), signals=example.fields.get("signals"))


async def outcome(node: OpenNode, subject: TypeSubject, example: Example) -> Any:
    """The outputs, or what it failed with."""
    try:
        return (await _play(node, subject, example)).outputs
    except Exception as error:  # noqa: BLE001 - a node may raise anything
        return {"error": error.code if isinstance(error, FlowError) else type(error).__name__}


async def run_example(subject: TypeSubject, example: Example) -> NodeRun:
    """Run it once. Raises whatever the node raises."""
    async with opened(subject, example) as node:
        return await _play(node, subject, example)


async def successes(subject: TypeSubject) -> AsyncIterator[tuple[Example, NodeRun]]:
    """The examples that succeed; the check of examples tells the others."""
    for example in subject.examples:
        if example.is_run:
            try:
                ran = await run_example(subject, example)
            except Exception:  # noqa: BLE001, S112
                continue
            yield example, ran


async def begin(node: OpenNode, subject: TypeSubject, example: Example) -> RunningNode | None:
    """Start the example and let it get where it waits; None when it cannot start."""
    try:
        running = await node.start(payload_of(subject, example))
        await running.until(NodeStarted)
        with anyio.move_on_after(SETTLE_SECONDS):
            await running.until(WorkflowCompleted)
    except (FlowError, LookupError):
        return None
    return running


def secret_names(config: Mapping[str, Any]) -> list[str]:
    """The names of the secrets that a config uses."""
    return sorted(set(_SECRET.findall(json.dumps(config))))


def made_up(names: Iterable[str], *, length: int = 40) -> dict[str, str]:
    """A text for each name that stands nowhere else; it begins with a letter that no id or number has."""
    return {name: ("Z" + hashlib.sha256(name.encode()).hexdigest())[:length] for name in names}


# --- the network that there is not -----------------------------------------------------------------------------------


def _server(example: Example) -> Callable[[httpx.Request], httpx.Response]:
    """A server that answers every request as the example says, with `{}` when it says nothing."""
    said = example.fields.get("answer") or {"json": {}}

    def answer(request: httpx.Request) -> httpx.Response:
        import httpx

        content = {key: said[key] for key in ("json", "text", "headers") if key in said}
        return httpx.Response(said.get("status", 200), request=request, **content)

    return answer


def refuses(request: httpx.Request) -> httpx.Response:
    """A server that is out of order."""
    import httpx

    return httpx.Response(500, json={"error": "out of order"}, request=request)


def is_unreachable(request: httpx.Request) -> httpx.Response:
    """No server at all."""
    import httpx

    message = "nobody is there"
    raise httpx.ConnectError(message, request=request)


async def never_answers(request: httpx.Request) -> httpx.Response:
    """A server that takes a request, and that was all."""
    await anyio.sleep_forever()
    return refuses(request)
