"""A runtime with one node on it: what the harness and the conformance suite run nodes on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flowcore.contracts import Clock
from flowcore.nodes import NodeType
from flowcore.packs import LOCAL_NAMESPACE

from flowruntime.authoring import Definition, definition_of
from flowruntime.pack_settings import settings_replaced
from flowruntime.registry import Registry
from flowruntime.runtime import Runtime
from flowruntime.secrets import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    import httpx

__all__ = ["NODE_ID", "Answer", "declared", "document_of", "installed", "open_stage", "with_type"]

#: The id of the node on the stage.
NODE_ID: Final = "node"

#: Answers HTTP requests in the place of the network: a function of the request, awaited or not, or an httpx transport.
Answer: TypeAlias = "Callable[[httpx.Request], Any] | httpx.AsyncBaseTransport"


@cache
def installed() -> Registry:
    """The installed packs, looked at once a process: that takes longer than most runs."""
    return Registry.discover()


def declared(target: object) -> tuple[NodeType, Definition]:
    """The node type that a decorated function or class makes. Raises TypeError for anything else."""
    definition = definition_of(target)
    if definition is None:
        msg = f"{target!r:.200} is no node. Decorate it with @node."
        raise TypeError(msg)
    type_id = definition.id if "." in definition.id else f"{LOCAL_NAMESPACE}.{definition.id}"
    place = f"{definition.target.__module__}:{definition.target.__qualname__}"
    return definition.node_type(type_id=type_id, implementation=place), definition


def with_type(registry: Registry, node_type: NodeType, definition: Definition) -> Registry:
    """The registry with this type in it, in the place of one of the same id and version."""
    return _WithType(registry, node_type, definition)


class _WithType(Registry):
    """Registries take local types in the namespace `local` only; a pack's node is tested under its own id."""

    def __init__(self, registry: Registry, node_type: NodeType, definition: Definition) -> None:
        key = (node_type.id, node_type.version)
        super().__init__(registry._snapshot, {**registry._local, key: (node_type, definition)})  # noqa: SLF001


def document_of(node_type: NodeType, config: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A workflow of one node."""
    node = {"id": NODE_ID, "node_type": node_type.id, "type_version": node_type.version, "config": dict(config or {})}
    return {"name": "one node", "nodes": [{**node, **fields}]}


@asynccontextmanager
async def open_stage(
    registry: Registry,
    *,
    clock: Clock | None = None,
    secrets: Mapping[str, str] | None = None,
    http: Answer | None = None,
    settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Runtime]:
    """A running runtime with the memory store, these secrets, and this in the place of the network.

    `settings` are the tables of packs in the place of those in flow.toml.
    """
    with _given(secrets or {}), _network(http), nullcontext() if settings is None else settings_replaced(settings):
        async with Runtime(registry=registry, clock=clock) as runtime:
            yield runtime


@contextmanager
def _network(answer: Answer | None) -> Iterator[None]:
    if answer is None:
        yield
        return
    from flowruntime.http.client import network_replaced

    with network_replaced(_transport(answer)):
        yield


def _transport(answer: Answer) -> httpx.AsyncBaseTransport:
    import httpx

    from flowruntime.testing.answering import AnsweringTransport

    return answer if isinstance(answer, httpx.AsyncBaseTransport) else AnsweringTransport(answer)


@contextmanager
def _given(secrets: Mapping[str, str]) -> Iterator[None]:
    """Have secrets in the environment, where a runtime looks for them; afterwards it is as it was."""
    names = {ENVIRONMENT_PREFIX + name: text for name, text in secrets.items()}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
