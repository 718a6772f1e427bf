"""The checks of what lives longer than a run: instances that fail half-way, configs that older versions have left."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

import anyio
from flowcore.errors import PackError, Problem
from flowcore.values import write_json

from flowruntime.authoring import InstanceContext, Node, Secret, make_handler
from flowruntime.migrations.running import run_migrate
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.testing.stage import document_of
from flowruntime.testing.suite.finding import Fault
from flowruntime.testing.suite.subject import SAVED_NODES, SavedNode, TypeSubject

__all__ = ["has_instances", "has_past", "migrations", "shutdown"]

#: What an engine gives `shutdown`.
_SHUTDOWN_SECONDS: Final = 10
_WHY: Final = "the conformance suite lets initialize fail here"


async def shutdown(subject: TypeSubject) -> AsyncIterator[Fault]:
    """An instance whose `initialize` failed, at its first line or later, can be shut down."""
    configs = [example.config for example in subject.examples] or [{}]
    for config in configs:
        for fails_at in ("its first line", "its first look at config or secrets"):
            try:
                handler = make_handler(subject.definition, config)
            except Exception as error:  # noqa: BLE001 - an author's `create` may raise anything
                yield Fault(
                    place="create",
                    message=f"It raises {type(error).__name__} for the config of an example: {error}",
                    remedy="Let it accept every config that the schema does, expressions in texts included.",
                )
                return
            instance = handler.instance
            assert instance is not None  # noqa: S101 - the check applies to classes
            if fails_at != "its first line":
                await _fail_to_initialize(instance)
            reason = await _shut_down(instance)
            if reason:
                yield Fault(
                    place="shutdown",
                    message=f"After `initialize` has failed at {fails_at}, it {reason}.",
                    remedy="Set what `initialize` opens to None in `create`, and close only what is there.",
                )
                return


async def migrations(subject: TypeSubject) -> AsyncIterator[Fault]:
    """Configs saved with older versions, or for replaced types, still load."""
    node_type = subject.node_type
    known = {(node.node_type, node.type_version) for node in subject.saved}
    for version in range(1, node_type.version):
        if (node_type.id, version) not in known:
            yield _missing(f"version {version}", f'{{"node_type": "{node_type.id}", "type_version": {version}, …}}')
    for replaced in node_type.replaces:
        if all(type_id != replaced for type_id, _ in known):
            yield _missing(f"the replaced type {replaced!r}", f'{{"node_type": "{replaced}", "type_version": 1, …}}')
    for node in subject.saved:
        for fault in _load(subject, node):
            yield fault


def has_instances(subject: TypeSubject) -> bool:
    """Whether the node is a class, and its code is called at all."""
    return inspect.isclass(subject.definition.target) and not subject.node_type.trigger


def has_past(subject: TypeSubject) -> bool:
    """Whether documents may hold the node as it was before."""
    node_type = subject.node_type
    return subject.is_newest and bool(node_type.version > 1 or node_type.replaces or subject.saved)


def _missing(what: str, line: str) -> Fault:
    return Fault(
        place=SAVED_NODES,
        message=f"There is no config of {what}, so nobody knows whether it still loads.",
        remedy=f"Put one there as it was saved: {line}",
    )


def _load(subject: TypeSubject, node: SavedNode) -> Iterator[Fault]:
    node_type = subject.node_type
    from_version = node.type_version if node.node_type == node_type.id else 0
    config: Mapping[str, Any] = node.config
    if node_type.migrates:
        try:
            config = run_migrate(subject.definition, node.config, from_version, node_type)
            again = run_migrate(subject.definition, node.config, from_version, node_type)
        except PackError as error:
            yield Fault(place=node.place, message=error.message, remedy="Correct `migrate`.")
            return
        if write_json(config) != write_json(again):
            yield Fault(
                place=node.place,
                message=f"`migrate` gives {write_json(config)} first and {write_json(again)} then.",
                remedy="Take time, chance and memory out of `migrate`.",
            )
            return
    for problem in _problems(subject, config):
        after = "after `migrate`" if node_type.migrates else "as it was saved"
        yield Fault(
            place=node.place,
            message=f"Its config does not fit version {node_type.version} {after}: {problem.message}",
            remedy="Let migrate(config, from_version) make a config that the schema allows.",
        )


def _problems(subject: TypeSubject, config: Mapping[str, Any]) -> list[Problem]:
    checked = check_workflow(document_of(subject.node_type, config), subject.registry, SchemaCache())
    return list(checked.errors)


async def _fail_to_initialize(instance: Node) -> None:
    context = InstanceContext(node_id="node", config=_Unreadable(), secrets=_NoSecrets())
    try:
        with anyio.move_on_after(1):
            await instance.initialize(context)
    except Exception:  # noqa: BLE001, S110 - it is meant to fail; one that reads nothing does not
        pass


async def _shut_down(instance: Node) -> str:
    """What went wrong, as the end of a sentence; empty when nothing did."""
    try:
        with anyio.fail_after(_SHUTDOWN_SECONDS):
            await instance.shutdown()
    except TimeoutError:
        return f"takes longer than {_SHUTDOWN_SECONDS} seconds"
    except Exception as error:  # noqa: BLE001 - an author's `shutdown` may raise anything
        return f"raises {type(error).__name__}: {error}"
    return ""


class _Unreadable:
    """A config of which nothing can be read."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(_WHY)

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError(_WHY)


class _NoSecrets(Mapping[str, Secret]):
    """Secrets of which none can be read."""

    def __getitem__(self, name: str) -> Secret:
        raise RuntimeError(_WHY)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError(_WHY)

    def __len__(self) -> int:
        raise RuntimeError(_WHY)
